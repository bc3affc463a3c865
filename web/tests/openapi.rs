//! The checked-in OpenAPI document is the one that the handlers make.

#[test]
fn openapi_json_is_fresh() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    let fresh = web::openapi_json();
    if std::env::var_os("RASEED_UPDATE").is_some() {
        std::fs::write(&path, &fresh).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == fresh,
        "docs/openapi.json is out of date; run: RASEED_UPDATE=1 cargo test -p web --test openapi"
    );
}

#[test]
fn the_document_has_no_floats() {
    let fresh = web::openapi_json();
    assert!(!fresh.contains("\"type\": \"number\"") && !fresh.contains("\"double\""));
    assert!(fresh.contains("application/problem+json"));
}
