//! The interfaces are documented as WASI's own are.

use wit_parser::{
    Docs, Function, FunctionKind, Resolve, Stability, Type, TypeDefKind, TypeId, WorldItem,
};

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../wit");

/// Every item, with what stands behind it.
#[test]
fn every_item_is_documented() {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(DIRECTORY).unwrap();
    let package = &resolve.packages[package];
    let mut missing = Vec::new();

    for (name, world) in &package.worlds {
        let world = &resolve.worlds[*world];
        check(&mut missing, name, Some(&world.docs), Some(&world.stability));
        for item in world.imports.values().chain(world.exports.values()) {
            if let WorldItem::Interface { stability, .. } = item {
                check(&mut missing, &format!("an item of {name}"), None, Some(stability));
            }
        }
    }
    assert!(package.interfaces.len() >= 5, "{:?}", package.interfaces.keys());
    for (name, interface) in &package.interfaces {
        let interface = &resolve.interfaces[*interface];
        check(&mut missing, name, Some(&interface.docs), Some(&interface.stability));
        for (item, id) in &interface.types {
            let path = format!("{name}.{item}");
            check_type(&resolve, &mut missing, &path, *id);
        }
        for (item, function) in &interface.functions {
            check_function(&resolve, &mut missing, &format!("{name}.{item}"), function);
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

fn check(missing: &mut Vec<String>, path: &str, docs: Option<&Docs>, since: Option<&Stability>) {
    let is_blank = |docs: &Docs| docs.contents.as_deref().is_none_or(|text| text.trim().is_empty());
    if docs.is_some_and(is_blank) {
        missing.push(format!("{path} has no documentation"));
    }
    if since.is_some_and(|since| !since.is_stable()) {
        missing.push(format!("{path} does not say since when it is"));
    }
}

fn check_type(resolve: &Resolve, missing: &mut Vec<String>, path: &str, id: TypeId) {
    let def = &resolve.types[id];
    let parts: Vec<(&str, &Docs)> = match &def.kind {
        // A name used from elsewhere is documented there.
        TypeDefKind::Type(Type::Id(_)) => {
            return check(missing, path, None, Some(&def.stability));
        }
        TypeDefKind::Record(record) => {
            record.fields.iter().map(|field| (&*field.name, &field.docs)).collect()
        }
        TypeDefKind::Variant(variant) => {
            variant.cases.iter().map(|case| (&*case.name, &case.docs)).collect()
        }
        TypeDefKind::Enum(cases) => {
            cases.cases.iter().map(|case| (&*case.name, &case.docs)).collect()
        }
        TypeDefKind::Flags(flags) => {
            flags.flags.iter().map(|flag| (&*flag.name, &flag.docs)).collect()
        }
        _ => Vec::new(),
    };
    check(missing, path, Some(&def.docs), Some(&def.stability));
    for (part, docs) in parts {
        check(missing, &format!("{path}.{part}"), Some(docs), None);
    }
}

fn check_function(resolve: &Resolve, missing: &mut Vec<String>, path: &str, function: &Function) {
    check(missing, path, Some(&function.docs), Some(&function.stability));
    let text = function.docs.contents.as_deref().unwrap_or_default();
    if fails(resolve, function) && !text.contains("# Typical errors") {
        missing.push(format!("{path} does not say how it fails"));
    }
}

/// Whether a function returns a result with an error in it.
fn fails(resolve: &Resolve, function: &Function) -> bool {
    assert!(!matches!(function.kind, FunctionKind::AsyncFreestanding), "not in WASI 0.2");
    let Some(Type::Id(id)) = function.result else {
        return false;
    };
    match &resolve.types[id].kind {
        TypeDefKind::Result(result) => result.err.is_some(),
        _ => false,
    }
}
