//! Words of the person who leads the run, on their way to an agent.
//!
//! **Invariant:** words are heard in the order in which they were said, each once: by whoever is at the task, and by whoever goes on with
//! the conversation of somebody who has heard some of them.
//! **Invariant:** a word that finds no room is refused before anybody has taken note of it; none is lost silently.

use tokio::sync::mpsc;

use crate::{context::summary::PERSON, model::Message, transcript::Entry};

/// How many words may wait for the next turn.
pub const ROOM: usize = 64;

/// What the person says to an attempt.
#[derive(Debug)]
pub struct Voice {
    /// What they said before it began, and the conversation that it goes on with has not heard.
    pub before: Vec<String>,
    /// What they say meanwhile.
    pub meanwhile: mpsc::Receiver<String>,
}

impl Voice {
    /// A voice with these words before, and what more is said through.
    pub fn new(before: Vec<String>) -> (mpsc::Sender<String>, Self) {
        let (say, meanwhile) = mpsc::channel(ROOM);
        (say, Self { before, meanwhile })
    }
}

/// A word as the model reads it.
pub fn in_words(text: &str) -> String {
    format!("{PERSON}\n\n{}", text.trim())
}

/// Of all words to a task, those that are not in this conversation. They are heard in their order, so the first ones are.
pub fn unheard<'w>(words: &'w [String], conversation: &[(u32, Entry)]) -> &'w [String] {
    let said = conversation.iter().map(|(_, entry)| match entry {
        Entry::Message(Message::User { content }) => content.matches(PERSON).count(),
        _ => 0,
    });
    let mut heads: usize = said.sum();
    let heard = words.iter().take_while(|word| {
        // Who quotes the heading has said it twice.
        let own = 1 + word.matches(PERSON).count();
        let is_heard = heads >= own;
        heads = heads.saturating_sub(own);
        is_heard
    });
    let heard = heard.count();
    &words[heard..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_conversation_has_heard_is_not_said_again_however_often_the_same_is_said() {
        let words: Vec<String> = ["fix", "fix", &in_words("quoted"), "fix the tests"].map(str::to_owned).into();
        let said = |count: usize| {
            let first: Vec<String> = words[..count].iter().map(|word| in_words(word)).collect();
            let assistant = Message::Assistant(crate::model::AssistantTurn { text: PERSON.to_owned(), ..Default::default() });
            vec![(0, Entry::Message(Message::user(format!("brief\n\n{}", first.join("\n\n"))))), (1, Entry::Message(assistant))]
        };
        for count in 0..=words.len() {
            assert_eq!(unheard(&words, &said(count)), &words[count..], "{count}");
        }
        assert_eq!(unheard(&words, &[]), words);
    }
}
