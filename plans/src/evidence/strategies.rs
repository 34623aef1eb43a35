//! Which answers fit which class: what a senior engineer would think of first.
//!
//! **Invariant:** none of them is to do the same again and hope. `retry` stands only where nothing of the task was at fault.

use super::Class;

/// The edits that fit, the likeliest first.
pub fn strategies(class: Class) -> &'static [&'static str] {
    match class {
        Class::RedAlone => &[
            "`rewrite` it with what the failing tests show, and what to do instead; give it another `model` where it went astray",
            "`split` it where it is too much at once",
            "where a suspect has landed already, `add` a task that mends both and `order` it before this one",
        ],
        Class::RedTogether => &[
            "where both mean to change one thing, `merge` what has not landed into one joint task, or `rewrite` this one to build on the other's work",
            "where the other has landed, `add` a task that brings the two together and `order` it before this one",
        ],
        Class::RedOnBase => &[
            "this task is not at fault: `add` a task of its own that mends what was red before, `order` it first, and `retry` this one after it",
        ],
        Class::Flaky => &[
            "this task is not at fault: `retry` it",
            "`add` a task that makes the test reliable where it is in the way again and again",
        ],
        Class::Infrastructure => {
            &["no edit of the plan mends it: a person has to; leave the task as it is and say what is missing"]
        }
        Class::Scope => &[
            "`widen` it by the files that it needs, or by `shared` ones where another task owns them",
            "`rewrite` it so that it does without, and leave those files to the task that owns them, with an `order` between the two",
        ],
        Class::Limit => &[
            "`split` it into parts that each fit",
            "`rewrite` it with higher `limits` where it was nearly done, or with another `model`",
        ],
        Class::Conflict => &[
            "`order` it after the task that it collides with",
            "`merge` the two where neither has landed, or `widen` both by the file as `shared` where they only add to it",
        ],
        Class::Blocked => &[
            "give it what it says that it lacks: `rewrite` its instructions, `widen` its scope, `add` and `order` the work that it waits for",
            "`drop` it where it says rightly that it cannot be done",
        ],
        Class::Broke => {
            &["`rewrite` it: another command, other instructions, another `model`", "`split` it where only part of it breaks"]
        }
        Class::Stopped => &["`retry` it"],
    }
}
