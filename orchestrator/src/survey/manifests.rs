//! Which files say what a project is made of.

use super::tree::file_name;

const NAMES: &[&str] = &[
    "Cargo.toml",
    "package.json",
    "pnpm-workspace.yaml",
    "tsconfig.json",
    "deno.json",
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "tox.ini",
    "pytest.ini",
    "requirements.txt",
    "go.mod",
    "go.work",
    "Makefile",
    "GNUmakefile",
    "makefile",
    "justfile",
    "Justfile",
    "CMakeLists.txt",
    "meson.build",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "Gemfile",
    "composer.json",
    "mix.exs",
    "Package.swift",
    "build.zig",
    "Dockerfile",
];

/// Whether the file is a manifest, by its name.
pub(super) fn is_manifest(path: &str) -> bool {
    NAMES.contains(&file_name(path))
}
