//! What may not stand in code, by its tokens.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use syn::{Attribute, Expr, Lit, Meta, Token, punctuated::Punctuated, spanned::Spanned as _, visit::Visit};

use super::{assert_none, files};

/// All tokens as words, in order, whatever they are nested in. Literals are `""`.
fn words(stream: TokenStream, found: &mut Vec<(String, usize)>) {
    for token in stream {
        let line = token.span().start().line;
        match token {
            TokenTree::Ident(name) => found.push((name.to_string(), line)),
            TokenTree::Punct(sign) => found.push((sign.as_char().to_string(), line)),
            TokenTree::Literal(_) => found.push(("\"\"".to_owned(), line)),
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::None => ("", ""),
                };
                found.push((open.to_owned(), line));
                words(group.stream(), found);
                found.push((close.to_owned(), group.span_close().start().line));
            }
        }
    }
}

/// Every place in these packages where such words follow each other.
fn places(packages: &[&str], forbidden: &[&[&str]]) -> Vec<String> {
    let mut violations = Vec::new();
    let ours = |name: &str| packages.iter().any(|package| name.starts_with(package));
    for (name, text) in files(&["rs"]).into_iter().filter(|(name, _)| ours(name)) {
        let mut tokens = Vec::new();
        words(text.parse().unwrap_or_else(|error| panic!("{name}: {error}")), &mut tokens);
        for (at, (_, line)) in tokens.iter().enumerate() {
            for sequence in forbidden {
                let here = tokens[at..].iter().map(|(word, _)| word.as_str()).take(sequence.len());
                if here.eq(sequence.iter().copied()) {
                    violations.push(format!("{name}:{line} {}", sequence.concat()));
                }
            }
        }
    }
    violations
}

const ALL: &[&str] = &["orchestrator", "worker", "shared", "plans", "tests"];

#[test]
fn nothing_is_allowed_or_left_for_later() {
    let forbidden: &[&[&str]] =
        &[&["#", "[", "allow"], &["#", "!", "[", "allow"], &["todo", "!"], &["unimplemented", "!"], &["dbg", "!"]];
    assert_none(&places(ALL, forbidden));
}

/// Attributes that switch a test off, by what they say.
#[derive(Default)]
struct Ignored(Vec<(usize, bool)>);

impl<'ast> Visit<'ast> for Ignored {
    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Some(is_conditional) = is_ignored_under_a_condition(attribute) {
            self.0.push((attribute.span().start().line, is_conditional));
        }
    }
}

/// Whether an attribute that ignores a test does so only where a program is missing, and says which; none for other attributes.
fn is_ignored_under_a_condition(attribute: &Attribute) -> Option<bool> {
    if attribute.path().is_ident("ignore") {
        return Some(false);
    }
    let parts = || attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).ok();
    let parts = attribute.path().is_ident("cfg_attr").then(parts)??;
    let mut parts = parts.iter();
    let (condition, rest) = (parts.next()?, parts.collect::<Vec<_>>());
    let ignores = rest.iter().any(|meta| meta.path().is_ident("ignore"));
    let one_reason = matches!(rest[..], [Meta::NameValue(ignore)] if says_what_is_needed(&ignore.value));
    ignores.then(|| one_reason && is_about_missing_programs(condition))
}

fn says_what_is_needed(value: &Expr) -> bool {
    matches!(value, Expr::Lit(text) if matches!(&text.lit, Lit::Str(text) if text.value().starts_with("needs ")))
}

/// `without_NAME`, or `any(...)` of such.
fn is_about_missing_programs(condition: &Meta) -> bool {
    match condition {
        Meta::Path(path) => path.get_ident().is_some_and(|name| name.to_string().starts_with("without_")),
        Meta::List(list) if list.path.is_ident("any") => list
            .parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
            .is_ok_and(|all| !all.is_empty() && all.iter().all(is_about_missing_programs)),
        _ => false,
    }
}

#[test]
fn a_test_is_ignored_only_where_a_program_is_missing_and_says_which() {
    let ignored = |text: &str| {
        let mut ignored = Ignored::default();
        ignored.visit_file(&syn::parse_file(text).expect("it is Rust"));
        ignored.0
    };
    let judged = |attribute: &str| ignored(&format!("#[test] {attribute} fn f() {{}}")).first().map(|(_, fine)| *fine);
    assert_eq!(judged("#[cfg_attr(without_go, ignore = \"needs go\")]"), Some(true));
    assert_eq!(judged("#[cfg_attr(any(without_go, without_bwrap), ignore = \"needs both\")]"), Some(true));
    assert_eq!(judged("#[cfg_attr(windows, expect(dead_code))]"), None);
    for wrong in ["ignore", "ignore = \"needs go\"", "cfg_attr(without_go, ignore)", "cfg_attr(all(), ignore = \"needs go\")"] {
        assert_eq!(judged(&format!("#[{wrong}]")), Some(false), "{wrong}");
    }
    assert_eq!(judged("#[cfg_attr(any(without_go, unix), ignore = \"needs go\")]"), Some(false));
    assert_eq!(judged("#[cfg_attr(without_go, ignore = \"slow\")]"), Some(false));
    let mut violations = Vec::new();
    for (name, text) in files(&["rs"]) {
        let wrong = ignored(&text).into_iter().filter(|(_, is_conditional)| !is_conditional);
        violations.extend(wrong.map(|(line, _)| format!("{name}:{line} ignores a test")));
    }
    assert_none(&violations);
}

#[test]
fn only_the_sandbox_speaks_to_the_kernel_in_ways_that_no_crate_offers() {
    let mut unsafe_places = places(ALL, &[&["unsafe"]]);
    unsafe_places.retain(|place| !place.starts_with("worker/src/sandbox/"));
    assert_none(&unsafe_places);
}

#[test]
fn the_pure_packages_know_no_disk_no_clock_no_network_and_no_runtime() {
    let forbidden: &[&[&str]] = &[
        &["tokio", ":", ":"],
        &["reqwest", ":", ":"],
        &["rusqlite", ":", ":"],
        &["std", ":", ":", "fs"],
        &["std", ":", ":", "net"],
        &["std", ":", ":", "process"],
        &["std", ":", ":", "env"],
        &["SystemTime"],
        &["Instant"],
        &["async"],
    ];
    let mut violations = places(&["shared/", "plans/"], forbidden);
    violations.extend(places(&["shared/", "plans/"], &[&["std", ":", ":", "{", "fs"], &["std", ":", ":", "{", "net"]]));
    let only_tests = modules_only_for_tests();
    violations.retain(|place| !only_tests.iter().any(|module| place.starts_with(module.as_str())));
    assert_none(&violations);
}

/// Files below a `#[cfg(test)] mod name;`: `dir/name.rs` and `dir/name/`, as beginnings of paths. They may read examples from the disk.
fn modules_only_for_tests() -> Vec<String> {
    let mut found = Vec::new();
    for (name, text) in files(&["rs"]) {
        let folder = match name.rsplit_once('/') {
            Some((folder, "mod.rs" | "lib.rs" | "main.rs")) => folder,
            _ => name.trim_end_matches(".rs"),
        };
        let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        for item in file.items {
            let syn::Item::Mod(module) = item else { continue };
            let is_test = |attribute: &syn::Attribute| {
                attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Ident>().is_ok_and(|word| word == "test")
            };
            if module.content.is_none() && module.attrs.iter().any(is_test) {
                found.extend(["/", ".rs"].map(|end| format!("{folder}/{}{end}", module.ident)));
            }
        }
    }
    found
}

#[test]
fn no_text_names_the_place_where_it_was_written() {
    let place = ["/wo", "rk/"].concat();
    let named = |(name, text): &(String, String)| {
        let lines = text.lines().enumerate().filter(|(_, line)| line.contains(&place));
        lines.map(|(at, _)| format!("{name}:{}", at + 1)).collect::<Vec<_>>()
    };
    assert_none(&files(&["rs", "md", "toml", "jinja", "json"]).iter().flat_map(named).collect::<Vec<_>>());
}

#[test]
fn prompts_are_files_that_somebody_reads() {
    let code: String = files(&["rs"]).into_iter().map(|(_, text)| text).collect();
    let prompts: Vec<String> =
        files(&["md"]).into_iter().map(|(name, _)| name).filter(|name| name.contains("/prompt/")).collect();
    assert!(prompts.len() >= 4, "planner and workers have their prompts in files: {prompts:?}");
    let unread = |name: &&String| {
        let file = name.rsplit('/').next().unwrap_or_default();
        !code.contains(&format!("prompt/{file}\""))
    };
    assert_none(&prompts.iter().filter(unread).cloned().collect::<Vec<_>>());
}
