//! The words around a summary: how a model is asked for one, what stands there where none can be had, and how the model goes on.
//!
//! **Invariant:** what a person said is given on word for word, and cut only where it is very long; it is never left out, however often
//! the conversation is made shorter.
//! **Invariant:** the same conversation gives the same words.

use std::{collections::BTreeSet, fmt::Write as _, ops::Range};

use super::{
    compaction::{first_line, in_words},
    cut_in_the_middle,
    turns::{answer, changed},
};
use crate::model::{Message, ToolCall};

/// What the model that has had the conversation is asked.
pub const SUMMARY: &str = include_str!("../prompt/summary.md");
/// What another model is told that writes the summary.
pub const SUMMARISER_SYSTEM: &str = include_str!("../prompt/summariser_system.md");
/// What stands before words of the person who leads the run.
pub const PERSON: &str = "A word from the person who leads this run:";

/// How the message begins that comes after a summary.
const GO_ON: &str = include_str!("../prompt/go_on.md");
/// What stands before what was said in the turns that are gone.
const WORDS: &str = "\n\nWhat you were told meanwhile, word for word:\n\n";
/// How long each message of a conversation is shown to another model that sums it up.
const SHOWN: usize = 2 * 1024;
/// How many steps the list of what was done has that stands there without a summary.
const STEPS: usize = 60;

/// What the harness says by itself; it need not be remembered.
const CHATTER: [&str; 8] = [
    "Your answer ",
    "You wrote a tool call as text.",
    "The provider withheld",
    "You have called `",
    "You have made the same failing call",
    "You have almost reached",
    "You have 2 turns left",
    "This is your last turn",
];

/// Whether something that was said to a model has to be remembered word for word.
pub(crate) fn is_word(said: &str) -> bool {
    let is_chatter = || CHATTER.iter().any(|chatter| said.starts_with(chatter));
    !said.starts_with(head()) && (said.contains(PERSON) || !is_chatter())
}

fn head() -> &'static str {
    GO_ON.lines().next().unwrap_or(GO_ON)
}

/// What is said after a summary: how to go on, which files were changed so far, and what was said in the turns that are gone.
pub(super) fn go_on(messages: &[Message], gone: &[Range<usize>]) -> String {
    let mut text = GO_ON.trim_end().to_owned();
    let files = changed_files(messages);
    if !files.is_empty() {
        text.push_str("\n\nFiles that you have changed so far:");
    }
    for path in files {
        let _ = write!(text, "\n- `{path}`");
    }
    let words = words(messages, gone);
    if !words.is_empty() {
        let _ = write!(text, "{WORDS}{}", words.join("\n\n"));
    }
    text
}

/// What was said in these turns and has to be remembered, also what an earlier message of this kind remembers.
fn words(messages: &[Message], gone: &[Range<usize>]) -> Vec<String> {
    const LONGEST: usize = 2 * 1024;
    let said = gone.iter().flat_map(|turn| &messages[turn.clone()]).filter_map(|message| match message {
        Message::User { content } => Some(content),
        _ => None,
    });
    let word = |said: &String| match said.strip_prefix(head()) {
        Some(own) => own.split_once(WORDS).map(|(_, words)| words.to_owned()),
        None => is_word(said).then(|| cut_in_the_middle(said, LONGEST)),
    };
    said.filter_map(word).collect()
}

/// Files that the conversation has changed, also those that an earlier message of this kind names.
fn changed_files(messages: &[Message]) -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    for message in messages {
        match message {
            Message::Assistant(turn) => files.extend(turn.calls.iter().filter_map(changed)),
            Message::User { content } if content.starts_with(head()) => {
                let named = content.lines().filter_map(|line| line.strip_prefix("- `")?.strip_suffix('`'));
                files.extend(named.map(str::to_owned));
            }
            _ => {}
        }
    }
    files
}

/// The conversation up to a place, with the question for a summary at its end. It begins with the bytes that were sent before.
pub fn question(messages: &[Message], end: usize) -> Vec<Message> {
    let mut asked = messages[..end].to_vec();
    match asked.last_mut() {
        Some(Message::User { content }) => {
            content.push_str("\n\n");
            content.push_str(SUMMARY.trim_end());
        }
        _ => asked.push(Message::user(SUMMARY.trim_end())),
    }
    asked
}

/// The same for another model: the conversation as a text of at most so many bytes.
pub fn question_for_another(messages: &[Message], end: usize, most: usize) -> Vec<Message> {
    let text: Vec<String> = messages[1.min(end)..end].iter().map(shown).collect();
    let text = cut_in_the_middle(&text.join("\n\n"), most);
    let question = format!("{text}\n\n# What to do now\n\n{}", SUMMARY.trim_end());
    vec![Message::system(SUMMARISER_SYSTEM.trim_end()), Message::user(question)]
}

fn shown(message: &Message) -> String {
    let (who, text) = match message {
        Message::System { content } => ("Standing orders".to_owned(), content.clone()),
        Message::User { content } => ("The worker is told".to_owned(), content.clone()),
        Message::Tool { name, content, .. } => (format!("Result of {name}"), content.clone()),
        Message::Assistant(turn) => {
            let call = |call: &ToolCall| format!("\n{} {}", call.name, cut_in_the_middle(&call.arguments, SHOWN));
            let calls: String = turn.calls.iter().map(call).collect();
            return format!("## The worker\n{}{calls}", cut_in_the_middle(&turn.text, SHOWN));
        }
    };
    // What people say is short; what a task says is needed whole.
    let most = if matches!(message, Message::User { .. }) { 8 * SHOWN } else { SHOWN };
    format!("## {who}\n{}", cut_in_the_middle(&text, most))
}

/// What stands there where no model could write a summary: what was done, in the harness's words.
pub fn list(messages: &[Message], gone: &[Range<usize>]) -> String {
    const EARLIER: usize = 6 * 1024;
    let mut earlier = String::new();
    let mut steps: Vec<(String, usize)> = Vec::new();
    let mut took = |step: String| match steps.last_mut() {
        Some((last, times)) if *last == step => *times += 1,
        _ => steps.push((step, 1)),
    };
    for turn in gone {
        let Some(answer) = answer(messages, turn) else { continue };
        let after = messages.get(turn.start + 1);
        if matches!(after, Some(Message::User { content }) if content.starts_with(head())) {
            earlier = format!("{}\n\n", cut_in_the_middle(&answer.text, EARLIER));
            continue;
        }
        for call in &answer.calls {
            took(in_words(call));
        }
        if answer.calls.is_empty() && !answer.text.trim().is_empty() {
            took(format!("I said: {}", first_line(&answer.text)));
        }
    }
    let left_out = steps.len().saturating_sub(STEPS);
    let mut text = format!("{earlier}What I did after that, in order; the results are no longer here:");
    if left_out > 0 {
        let _ = write!(text, "\n- {left_out} steps before these");
    }
    for (step, times) in &steps[left_out..] {
        let times = if *times > 1 { format!(" ({times} times)") } else { String::new() };
        let _ = write!(text, "\n- {step}{times}");
    }
    text
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn what_people_say_is_a_word_and_what_the_harness_says_by_itself_is_none() {
        for (said, expected) in [
            ("It does not fit any more.", true),
            ("A word from the person who leads this run:\n\nuse tabs", true),
            ("Your answer called no tool, so nothing happened.", false),
            ("Your answer called no tool.\n\nA word from the person who leads this run:\n\nuse tabs", true),
            (&go_on(&[], &[]), false),
        ] {
            assert_eq!(is_word(said), expected, "{said}");
        }
    }

    #[test]
    fn the_prompts_read_like_this() {
        expect![[r"
            Make this conversation short. What you have done so far will be taken out of it to make room, and your answer is all that you will know of it. Call no tool now; answer with text alone, in at most 600 words:

            1. **Goal**: what the task wants, and what the person who leads the run has said, word for word.
            2. **Scope**: what you may write, and what was granted or refused.
            3. **Decisions**: what you decided and why, and what turned out not to work.
            4. **Files**: each file that you changed, and how; each that you read and will need, with the names and signatures that matter.
            5. **Open**: what fails, with the words of the error; what is left to do, in order; the very next step.

            State facts. Leave out what can be read from the files as they are now.
            ---
            You are given the conversation of a worker, an agent that carries out one task of a larger change. You write the summary with which that worker goes on: it will know nothing else of what has happened. You call no tools.
            ---
            This conversation was made shorter, so that it fits your window: what came before is summed up above, as you know it. Your worktree is as you left it, nothing was undone. Turns below may lack results; each says how to get it again. Go on with your task by calling a tool."]]
        .assert_eq(&[SUMMARY, SUMMARISER_SYSTEM, &go_on(&[], &[])].map(str::trim_end).join("\n---\n"));
    }
}
