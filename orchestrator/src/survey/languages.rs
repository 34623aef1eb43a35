//! What language a file is written in, and whether it holds tests, by its name alone.

use super::tree::{ending, file_name, folder};

/// Ending of the file's name, language. Looked through in order; names without a dot are whole names.
const ENDINGS: &[(&str, &str)] = &[
    ("rs", "rust"),
    ("py", "python"),
    ("pyi", "python"),
    ("ts", "typescript"),
    ("mts", "typescript"),
    ("cts", "typescript"),
    ("tsx", "typescript"),
    ("js", "javascript"),
    ("mjs", "javascript"),
    ("cjs", "javascript"),
    ("jsx", "javascript"),
    ("go", "go"),
    ("c", "c"),
    ("h", "c"),
    ("cc", "c++"),
    ("cpp", "c++"),
    ("cxx", "c++"),
    ("hh", "c++"),
    ("hpp", "c++"),
    ("cs", "c#"),
    ("java", "java"),
    ("kt", "kotlin"),
    ("kts", "kotlin"),
    ("scala", "scala"),
    ("swift", "swift"),
    ("m", "objective-c"),
    ("rb", "ruby"),
    ("php", "php"),
    ("pl", "perl"),
    ("lua", "lua"),
    ("ex", "elixir"),
    ("exs", "elixir"),
    ("erl", "erlang"),
    ("hs", "haskell"),
    ("ml", "ocaml"),
    ("mli", "ocaml"),
    ("clj", "clojure"),
    ("dart", "dart"),
    ("zig", "zig"),
    ("nim", "nim"),
    ("jl", "julia"),
    ("r", "r"),
    ("sh", "shell"),
    ("bash", "shell"),
    ("zsh", "shell"),
    ("fish", "shell"),
    ("ps1", "powershell"),
    ("sql", "sql"),
    ("vue", "vue"),
    ("svelte", "svelte"),
    ("html", "html"),
    ("css", "css"),
    ("scss", "css"),
    ("less", "css"),
    ("md", "markdown"),
    ("rst", "restructuredtext"),
    ("adoc", "asciidoc"),
    ("txt", "text"),
    ("toml", "toml"),
    ("yaml", "yaml"),
    ("yml", "yaml"),
    ("json", "json"),
    ("jsonc", "json"),
    ("xml", "xml"),
    ("ini", "ini"),
    ("cfg", "ini"),
    ("proto", "protobuf"),
    ("graphql", "graphql"),
    ("tf", "terraform"),
    ("nix", "nix"),
    ("cmake", "cmake"),
    ("mk", "make"),
];

const WHOLE_NAMES: &[(&str, &str)] = &[
    ("Makefile", "make"),
    ("GNUmakefile", "make"),
    ("makefile", "make"),
    ("justfile", "just"),
    ("Justfile", "just"),
    ("Dockerfile", "dockerfile"),
    ("CMakeLists.txt", "cmake"),
    ("Gemfile", "ruby"),
    ("Rakefile", "ruby"),
];

/// Languages that are written, not merely stored: only of these can a file hold tests.
const NOT_CODE: &[&str] =
    &["markdown", "restructuredtext", "asciidoc", "text", "toml", "yaml", "json", "xml", "ini", "css", "html", "dockerfile"];

/// The language by the file's name.
pub(super) fn language_of(path: &str) -> Option<&'static str> {
    let name = file_name(path);
    let whole = WHOLE_NAMES.iter().find(|(known, _)| *known == name);
    let by_ending = || ENDINGS.iter().find(|(known, _)| ending(name).eq_ignore_ascii_case(known));
    whole.or_else(by_ending).map(|(_, language)| *language)
}

/// Whether the path alone says that the file holds tests: it lies in a folder of tests, or is named like one.
pub(super) fn is_test_path(path: &str) -> bool {
    let Some(language) = language_of(path) else { return false };
    if NOT_CODE.contains(&language) {
        return false;
    }
    let in_tests = folder(path).split('/').any(|part| matches!(part, "tests" | "test" | "__tests__" | "spec" | "e2e"));
    in_tests || is_test_name(file_name(path), language)
}

fn is_test_name(name: &str, language: &str) -> bool {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    match language {
        "go" | "elixir" | "dart" | "c" | "c++" => stem.ends_with("_test"),
        "python" => stem.starts_with("test_") || stem.ends_with("_test") || stem == "conftest",
        "javascript" | "typescript" => matches!(ending(stem), "test" | "spec"),
        "java" | "kotlin" | "c#" | "scala" | "swift" | "php" => stem.ends_with("Test") || stem.ends_with("Tests"),
        "ruby" => stem.ends_with("_spec") || stem.ends_with("_test"),
        "rust" => stem == "tests",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_known_by_the_ending_or_by_the_whole_name() {
        for (path, language) in [
            ("src/lib.rs", Some("rust")),
            ("a/b.TSX", Some("typescript")),
            ("Makefile", Some("make")),
            ("x/CMakeLists.txt", Some("cmake")),
            ("LICENSE", None),
            (".gitignore", None),
            ("a.unheard-of", None),
        ] {
            assert_eq!(language_of(path), language, "{path}");
        }
    }

    #[test]
    fn tests_are_known_by_their_folder_or_by_their_name() {
        for (path, is_test) in [
            ("tests/it.rs", true),
            ("src/parser/tests.rs", true),
            ("tests/data.json", false),
            ("pkg/test_a.py", true),
            ("pkg/contest.py", false),
            ("conftest.py", true),
            ("web/a.spec.ts", true),
            ("web/__tests__/a.tsx", true),
            ("a_test.go", true),
            ("attest.go", false),
        ] {
            assert_eq!(is_test_path(path), is_test, "{path}");
        }
    }
}
