//! What it takes to see that a request extends the one before it, at the first turn and after many.

use std::{hint::black_box, time::Instant};

use worker::{
    model::{AssistantTurn, Message, ToolCall},
    prefix::{Look, Prints},
};

const TURNS: [usize; 3] = [1, 20, 100];
/// Bytes of a result.
const RESULT: usize = 4_000;
const ROUNDS: u32 = 2_000;

/// Prints it, beside what a look at everything would take, as builds for tests do.
pub fn report() {
    println!("The look for drift at one turn, in microseconds");
    println!("{:<10} {:>8} {:>12}", "turns", "glance", "everything");
    for turns in TURNS {
        println!("{turns:<10} {:>8.1} {:>12.1}", micros(Look::Glance, turns), micros(Look::Whole, turns));
    }
}

/// One more turn on top of so many that were seen before, and the same again.
fn micros(look: Look, turns: usize) -> f64 {
    let said = conversation(turns + 1);
    let before = &said[..said.len() - 2];
    let mut prints = Prints::looking(look);
    prints.take("m", &[], before);
    let begun = Instant::now();
    for _ in 0..ROUNDS {
        black_box(prints.take("m", &[], black_box(&said)));
        prints.keep(before.len());
    }
    begun.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS)
}

fn conversation(turns: usize) -> Vec<Message> {
    let turn = |turn: usize| {
        let id = format!("call-{turn}");
        let call =
            ToolCall { id: id.clone(), name: "read_file".to_owned(), arguments: "{\"path\": \"src/money.rs\"}".to_owned() };
        let answer = AssistantTurn { text: "I look at the file.".to_owned(), calls: vec![call], ..AssistantTurn::default() };
        let result = Message::Tool { call_id: id, name: "read_file".to_owned(), content: "x".repeat(RESULT) };
        [Message::Assistant(answer), result]
    };
    let opening = [Message::system("s".repeat(12_000)), Message::user("u".repeat(2_000))];
    opening.into_iter().chain((0..turns).flat_map(turn)).collect()
}
