//! What it costs to read an answer: the decoder of server-sent events alone, and whole answers of each dialect, in MB/s.
//!
//! `cargo bench -p inspan-tests --bench wire`. The streams are made here, in the frames that the servers of each dialect put around a
//! token; they come in pieces of 4 KiB, about what a connection hands over.
//!
//! **Invariant:** an answer is read to its end and looked at: a reader that gives up early would be fast.

use std::hint::black_box;

use criterion::{Criterion, Throughput, measurement::WallTime};
use serde_json::{Value, json};
use shared::RunId;
use worker::model::{
    Answer, Dialect, Label, ModelSettings, Request, Role,
    reader::Reader,
    sse::{Decoder, TooLong},
    wire::{Ending, wire},
};

const PIECE: usize = 4096;
const TOKENS: usize = 20_000;

fn main() {
    let mut criterion = Criterion::default().sample_size(20).configure_from_args();
    decoder(&mut criterion);
    answers(&mut criterion);
    criterion.final_summary();
}

fn decoder(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decoder");
    let one_line = format!("data: {}\n\n", "x".repeat(8 << 20));
    for (name, stream) in [("tokens", chat()), ("one line of 8 MiB", one_line)] {
        measure(&mut group, name, &stream, |stream| {
            let (mut decoder, mut read) = (Decoder::default(), 0);
            for piece in stream.chunks(PIECE) {
                let count = |event: worker::model::sse::Event<'_>| -> Result<(), TooLong> {
                    read += black_box(event.data).len();
                    Ok(())
                };
                decoder.push(piece, count).expect("no event is too long");
            }
            assert!(read > stream.len() / 2);
        });
    }
}

fn answers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("answer");
    for (name, dialect, stream) in [
        ("chat", Dialect::OpenAiChat, chat()),
        ("responses", Dialect::OpenAiResponses, responses()),
        ("anthropic", Dialect::AnthropicMessages, anthropic()),
    ] {
        measure(&mut group, name, &stream, |stream| {
            let answer = answer(&dialect, stream);
            assert_eq!(answer.turn.text.len(), TOKENS * 6);
        });
    }
}

fn measure(group: &mut criterion::BenchmarkGroup<'_, WallTime>, name: &str, stream: &str, read: impl Fn(&[u8])) {
    group.throughput(Throughput::Bytes(stream.len() as u64));
    group.bench_function(name, |bench| bench.iter(|| read(black_box(stream.as_bytes()))));
}

fn answer(dialect: &Dialect, stream: &[u8]) -> Answer {
    let label =
        Label { run: RunId::new("abcdefgh").expect("eight letters"), role: Role::Worker, task: None, attempt: 1, turn: 1 };
    let request = Request { label: &label, messages: &[], tools: &[], max_tokens: 9 };
    let settings = ModelSettings::new("bench/model", dialect.clone(), "");
    let mut reader = Reader::new(wire(dialect).expect("a dialect that servers speak"));
    for piece in stream.chunks(PIECE) {
        reader.push(piece, &|delta| _ = black_box(delta)).expect("the stream is well");
    }
    reader.finish(&mut Ending::of(&settings, &request), &|_| {}).expect("the answer is whole")
}

/// A stream of so many tokens, each in its event, and what ends it.
fn stream(token: impl Fn(usize) -> Value, end: &[Value]) -> String {
    let events = (0..TOKENS).map(token).chain(end.iter().cloned());
    events.map(|event| format!("data: {event}\n\n")).collect::<Vec<_>>().concat()
}

fn chat() -> String {
    let chunk = |delta: Value, finish: Value| {
        json!({
            "id": "0f6e4e2b-7a0c-4b6e-9d2e-2d6d1f2a9c11", "object": "chat.completion.chunk", "created": 1_790_000_000,
            "model": "a-model-of-this-size", "system_fingerprint": "fp_0000000000_prod0000_fp8_kvcache",
            "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]
        })
    };
    let token = |place| chunk(json!({"content": format!(" {place:05}")}), Value::Null);
    stream(token, &[chunk(json!({"content": ""}), json!("stop"))])
}

fn responses() -> String {
    let token = |place| {
        json!({
            "type": "response.output_text.delta", "sequence_number": place, "item_id": "msg_0000000000000000000000000000000000000000",
            "output_index": 0, "content_index": 0, "delta": format!(" {place:05}"), "logprobs": [], "obfuscation": "0123456789"
        })
    };
    stream(token, &[json!({"type": "response.completed", "response": {"status": "completed"}})])
}

fn anthropic() -> String {
    let token = |place| {
        let delta = json!({"type": "text_delta", "text": format!(" {place:05}")});
        json!({"type": "content_block_delta", "index": 0, "delta": delta})
    };
    stream(token, &[json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}), json!({"type": "message_stop"})])
}
