//! Maps of small repositories: text in, text out.

mod texts;

use super::{super::tests::findings_of, Focus, SymbolMap};

#[test]
fn look() {
    let Ok(root) = std::env::var("LOOK") else { return };
    let t = std::time::Instant::now();
    let map = super::super::tests::findings_at(std::path::Path::new(&root)).map;
    eprintln!("survey {:?} files {}", t.elapsed(), map.files.len());
    let json = serde_json::to_string(&map).unwrap();
    eprintln!(
        "json {} links {} defs {}",
        json.len(),
        map.files.iter().map(|f| f.links.len()).sum::<usize>(),
        map.files.iter().map(|f| f.defines.len()).sum::<usize>()
    );
    assert_eq!(map, serde_json::from_str(&json).unwrap());
    for f in &map.files {
        for l in &f.links {
            let to = &map.files[l.to as usize];
            let top = |p: &str| p.split('/').next().unwrap().to_owned();
            if top(f.path.as_str()) != top(to.path.as_str())
                && (f.path.as_str().starts_with("plans") || f.path.as_str().starts_with("shared"))
                && !to.path.as_str().starts_with("shared")
            {
                eprintln!("X {} -> {} {} {}", f.path, to.path, to.defines[l.definition as usize].name, l.weight);
            }
        }
    }
    let t = std::time::Instant::now();
    let text = map.overview(&std::env::var("GOAL").unwrap_or_default(), 6200);
    eprintln!("{text}\n{:?}", t.elapsed());
    let own = std::env::var("OWN").unwrap_or_default();
    let t = std::time::Instant::now();
    let text = map.around(|p| p.as_str().starts_with(&own), &Focus { words: "", budget: 4650 });
    eprintln!("{text}\n{:?}", t.elapsed());
}
