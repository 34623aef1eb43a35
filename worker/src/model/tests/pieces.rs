//! Any bytes in any pieces, in every dialect: the same answer, the same deltas, no panic.

use proptest::{prelude::*, sample::Index};

use crate::model::{
    Dialect,
    testing::{Read, read},
};

const DIALECTS: [Dialect; 3] = [Dialect::OpenAiChat, Dialect::OpenAiResponses, Dialect::AnthropicMessages];

fn same_in_pieces(dialect: &Dialect, bytes: &[u8], cuts: &[Index]) -> Result<Read, TestCaseError> {
    let whole = read(dialect, [bytes]);
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    let cut = read(dialect, places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]));
    prop_assert_eq!(&cut, &whole, "in pieces");
    prop_assert_eq!(&read(dialect, bytes.chunks(1)), &whole, "byte by byte");
    Ok(whole)
}

/// Words of all dialects, as they stand in JSON.
const WORDS: &str = r#""a" "é😀" null 0 1 -1 1e99 true {} [] [{}] "{" "}" "{}" "x\ny" "stop" "tool_use" "text" "thinking" "message"
    "function_call" "reasoning" "length" "message_start" "message_delta" "message_stop" "content_block_start" "content_block_delta"
    "text_delta" "thinking_delta" "signature_delta" "input_json_delta" "citations_delta" "ping" "response.output_item.added"
    "response.output_item.done" "response.output_text.delta" "response.function_call_arguments.delta" "response.reasoning_text.delta"
    "response.completed" "response.incomplete" "response.failed" "error" "completed""#;
/// Names of members of all dialects.
const KEYS: &str = "type index delta content_block text thinking signature partial_json id name input usage input_tokens output_tokens
    stop_reason message content choices finish_reason tool_calls function arguments reasoning_content reasoning_details refusal
    output_index item_id item call_id response output status error detail prompt_tokens prompt_tokens_details cached_tokens summary";

/// JSON that nearly means something.
fn value() -> impl Strategy<Value = String> {
    let word = prop::sample::select(WORDS.split_whitespace().collect::<Vec<_>>());
    let key = prop::sample::select(KEYS.split_whitespace().collect::<Vec<_>>());
    word.prop_map(str::to_owned).prop_recursive(4, 24, 5, move |inner| {
        let member = (key.clone(), inner.clone()).prop_map(|(key, value)| format!("\"{key}\":{value}"));
        prop_oneof![
            4 => prop::collection::vec(member, 0..5).prop_map(|members| format!("{{{}}}", members.join(","))),
            1 => prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
        ]
    })
}

fn line() -> impl Strategy<Value = String> {
    let end = prop::sample::select(vec!["\n", "\n\n", "\r\n\r\n", "\r\r"]);
    let start = prop::sample::select(vec!["data: ", "data:", "", ": ", "event: error\ndata: ", "event: ping\ndata: ", "error: "]);
    let body = prop_oneof![8 => value(), 1 => Just("[DONE]".to_owned()), 1 => Just("\u{feff}".to_owned())];
    (start, body, end).prop_map(|(start, body, end)| format!("{start}{body}{end}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_bytes_are_read_alike_whole_and_in_pieces(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        cuts in prop::collection::vec(any::<Index>(), 0..6),
    ) {
        for dialect in &DIALECTS {
            same_in_pieces(dialect, &bytes, &cuts)?;
        }
    }

    #[test]
    fn what_nearly_means_something_is_read_alike_whole_and_in_pieces(
        lines in prop::collection::vec(line(), 0..12),
        cuts in prop::collection::vec(any::<Index>(), 0..6),
    ) {
        for dialect in &DIALECTS {
            same_in_pieces(dialect, lines.concat().as_bytes(), &cuts)?;
        }
    }
}

#[test]
fn a_byte_order_mark_and_white_space_may_stand_before_anything() {
    let stream = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"},\"finish_reason\":\"stop\"}]}\n\n";
    let json = "{\"choices\":[{\"message\":{\"content\":\"hi\"},\"finish_reason\":\"stop\"}]}";
    for before in ["", "\u{feff}", "\r\n \n", "\u{feff}\n", "\n\u{feff}"] {
        for body in [stream, json] {
            let body = format!("{before}{body}");
            let read = same_in_pieces(&Dialect::OpenAiChat, body.as_bytes(), &[]).unwrap();
            assert_eq!(read.answer.unwrap().turn.text, "hi", "{body:?}");
        }
    }
}

#[test]
fn a_line_or_a_body_without_an_end_is_cut_off_and_not_stored() {
    let piece = vec![b'x'; 1 << 20];
    for start in ["data: ", "{\"choices\": \"", ": a comment "] {
        let endless = [start.as_bytes()].into_iter().chain(std::iter::repeat_n(&piece[..], 50));
        let error = read(&Dialect::OpenAiChat, endless).answer.unwrap_err();
        assert!(error.is_transient() && error.to_string().contains("longer than 16777216 bytes"), "{error}");
    }
}
