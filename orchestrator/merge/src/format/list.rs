//! Stub
pub(super) fn united(_b: &str, _o: &str, _t: &str) -> Option<String> {
    None
}
