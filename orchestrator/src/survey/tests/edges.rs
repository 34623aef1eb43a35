//! Import edges, a small repository for each language.

use expect_test::{Expect, expect};

use super::survey_of;

fn check(files: &str, expected: &Expect) {
    let edges = survey_of(files).imports.iter().map(|(from, to)| format!("{from} -> {to}\n")).collect::<Vec<_>>().concat();
    expected.assert_eq(&edges);
}

#[test]
fn rust_modules_and_paths_lead_to_files_of_the_crate() {
    check(
        r#"
## Cargo.toml
[package]
name = "shop"
## src/lib.rs
pub mod money;
mod store;
#[path = "odd/place.rs"]
mod elsewhere;
mod inline { pub mod deep; }
## src/main.rs
use shop::money::Money;
fn main() { shop::store::open(); }
## src/money.rs
mod currency;
pub use currency::Currency;
#[cfg(test)]
mod tests { use super::*; use crate::store::Store; }
## src/money/currency.rs
use super::Money;
## src/store/mod.rs
use std::fs;
use crate::{money::{self, Money}, inline::deep::{Deep as Shallow}};
fn f(x: &crate::elsewhere::Thing) {}
## src/odd/place.rs
use self::nothing::here;
## src/inline/deep.rs
use super::super::money::Currency;
## tests/it.rs
mod common;
use shop::store;
## tests/common/mod.rs
use shop::money::*;
## build.rs
fn main() { println!("no import"); }
"#,
        &expect![[r#"
            src/inline/deep.rs -> src/money.rs
            src/inline/deep.rs -> src/money/currency.rs
            src/lib.rs -> src/inline/deep.rs
            src/lib.rs -> src/money.rs
            src/lib.rs -> src/odd/place.rs
            src/lib.rs -> src/store/mod.rs
            src/main.rs -> src/money.rs
            src/main.rs -> src/store/mod.rs
            src/money.rs -> src/money/currency.rs
            src/money.rs -> src/store/mod.rs
            src/money/currency.rs -> src/money.rs
            src/store/mod.rs -> src/inline/deep.rs
            src/store/mod.rs -> src/money.rs
            src/store/mod.rs -> src/odd/place.rs
            tests/common/mod.rs -> src/money.rs
            tests/it.rs -> src/store/mod.rs
            tests/it.rs -> tests/common/mod.rs
        "#]],
    );
}

#[test]
fn rust_paths_lead_into_other_packages_and_through_re_exports() {
    check(
        r#"
## Cargo.toml
[workspace]
members = ["core", "app"]
[workspace.dependencies]
base = { path = "core", package = "shop-core" }
## core/Cargo.toml
[package]
name = "shop-core"
## core/src/lib.rs
mod plan;
pub mod task;
pub use plan::Plan;
pub use task::Id as TaskId;
## core/src/plan.rs
use crate::task::Id;
## core/src/task.rs
## app/Cargo.toml
[package]
name = "app"
[dependencies]
base.workspace = true
[[bin]]
name = "app"
path = "main.rs"
## app/main.rs
use base::{Plan, TaskId};
mod sub;
## app/sub.rs
extern crate shop_core;
use serde::Serialize;
fn f() -> base::task::Id { base::unknown() }
"#,
        &expect![[r#"
            app/main.rs -> app/sub.rs
            app/main.rs -> core/src/lib.rs
            app/main.rs -> core/src/plan.rs
            app/main.rs -> core/src/task.rs
            app/sub.rs -> core/src/lib.rs
            app/sub.rs -> core/src/task.rs
            core/src/lib.rs -> core/src/plan.rs
            core/src/lib.rs -> core/src/task.rs
            core/src/plan.rs -> core/src/task.rs
        "#]],
    );
}

#[test]
fn python_names_are_looked_up_where_python_looks() {
    check(
        r#"
## pyproject.toml
## src/shop/__init__.py
from .money import Money
## src/shop/money.py
import os, json
import shop.store as store
from . import currency
from .currency import *
## src/shop/currency.py
import money
## src/shop/store/__init__.py
## src/shop/store/disk.py
from ..money import Money
from .. import currency, nothing
from ... import beyond
def late():
    from shop.store import memory, Store
## src/shop/store/memory.py
## src/shop/json.py
## tests/test_money.py
import unittest
import shop.money, helpers
from shop import store
from shop.store.disk import Disk
## tests/helpers.py
## plain/space/deep.py
import plain.space.other
## plain/space/other.py
"#,
        &expect![[r#"
            plain/space/deep.py -> plain/space/other.py
            src/shop/__init__.py -> src/shop/money.py
            src/shop/money.py -> src/shop/currency.py
            src/shop/money.py -> src/shop/store/__init__.py
            src/shop/store/disk.py -> src/shop/__init__.py
            src/shop/store/disk.py -> src/shop/currency.py
            src/shop/store/disk.py -> src/shop/money.py
            src/shop/store/disk.py -> src/shop/store/__init__.py
            src/shop/store/disk.py -> src/shop/store/memory.py
            tests/test_money.py -> src/shop/money.py
            tests/test_money.py -> src/shop/store/__init__.py
            tests/test_money.py -> src/shop/store/disk.py
            tests/test_money.py -> tests/helpers.py
        "#]],
    );
}

#[test]
fn javascript_specifiers_lead_to_files_with_their_endings_guessed() {
    check(
        r#"
## web/a.js
import { b } from './b'
export * from "./dir"
const c = require('../lib/c')
const no = other('./b')
import('./d.js')
import 'react'
import './style.css?inline'
## web/b.jsx
import b from './b'
## web/d.ts
import d = require("./e")
import type { E } from './e.js'
import x from `./b`
## web/e.tsx
## web/dir/index.mjs
import '..'
import '../../../outside'
## web/style.css
## lib/c.cjs
"#,
        &expect![[r#"
            web/a.js -> lib/c.cjs
            web/a.js -> web/b.jsx
            web/a.js -> web/d.ts
            web/a.js -> web/dir/index.mjs
            web/a.js -> web/style.css
            web/d.ts -> web/e.tsx
        "#]],
    );
}

#[test]
fn javascript_packages_and_aliases_of_the_repository_are_followed() {
    check(
        r#"
## tsconfig.json
{ // shared
  "compilerOptions": { "baseUrl": ".", "paths": { "@/*": ["app/src/*"], "config": ["app/settings.ts"], }, } }
## packages/ui/package.json
{ "name": "@shop/ui", "main": "dist/index.js", "exports": { ".": { "import": "./dist/index.js" }, "./theme": "./src/look/theme.ts" } }
## packages/ui/src/index.ts
## packages/ui/src/button.tsx
## packages/ui/src/look/theme.ts
## packages/core/package.json
{ "name": "core", "main": "./main.js" }
## packages/core/main.js
## app/settings.ts
## app/src/page.tsx
import { Button } from '@shop/ui'
import theme from '@shop/ui/theme'
import button from '@shop/ui/button'
import core from 'core'
import config from 'config'
import other from '@/deep/other'
import based from 'app/settings'
import missing from '@shop/none'
## app/src/deep/other.ts
"#,
        &expect![[r#"
            app/src/page.tsx -> app/settings.ts
            app/src/page.tsx -> app/src/deep/other.ts
            app/src/page.tsx -> packages/core/main.js
            app/src/page.tsx -> packages/ui/src/button.tsx
            app/src/page.tsx -> packages/ui/src/index.ts
            app/src/page.tsx -> packages/ui/src/look/theme.ts
        "#]],
    );
}

const GO_SHOP: &str = r#"
## go.mod
module example.com/shop

go 1.24
## main.go
package main

import (
	"fmt"
	"example.com/shop/money"
	st "example.com/shop/store/v2"
	_ "example.com/shop/plugins"
	"example.com/shopping/other"
)

func main() { fmt.Println(money.New(1), st.Default); var m money.Currency }
## money/money.go
package money

func New(n int) int { return n }
## money/currency.go
package money

type (
	Currency struct{}
)
## money/unused.go
package money

const Rate = 1
## money/money_test.go
package money

func New(n int) {}
## store/v2/disk.go
package store

import "example.com/shop/money"

var (
	Default = money.Rate
	x = 1
)
## store/v2/zero.go
package store
## plugins/a.go
package plugins
## plugins/plugins.go
package plugins
## tool/go.mod
module example.com/shop/tool
## tool/cmd/main.go
package main

import "example.com/shop/tool"

var _ = tool.Run
## tool/run.go
package tool

func Run() {}
"#;

#[test]
fn go_imports_lead_to_the_files_that_declare_the_names_in_use() {
    check(
        GO_SHOP,
        &expect![[r#"
            main.go -> money/currency.go
            main.go -> money/money.go
            main.go -> plugins/plugins.go
            main.go -> store/v2/disk.go
            store/v2/disk.go -> money/unused.go
            tool/cmd/main.go -> tool/run.go
        "#]],
    );
}
