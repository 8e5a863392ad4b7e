//! What is not a strategy is refused before it is compiled, with a message that says what to do.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at what it did not expect")]

mod guest;

use bulkhead_sandbox::{Limits, Refused};
use guest::{Guest, embed, prepare, sandbox, try_prepare};

/// The reason for a refusal, and its message.
fn refused(limits: Limits, bytes: &[u8]) -> (Refused, String) {
    match sandbox(limits).prepare(bytes) {
        Ok((_, description)) => panic!("{} was accepted", description.name),
        Err(refused) => {
            let message = refused.to_string();
            (refused, message)
        }
    }
}

macro_rules! assert_refused {
    ($limits:expr, $bytes:expr, $pattern:pat, $($part:expr),+) => {{
        let (refused, message) = refused($limits, $bytes);
        assert!(matches!(refused, $pattern), "{refused:?}");
        $(assert!(message.contains($part), "\"{}\" is not in: {message}", $part);)+
    }};
}

/// A core module and a ready component are taken alike, and have their own hashes.
#[test]
fn modules_and_components_are_accepted() {
    let sandbox = sandbox(Limits::default());
    let guest = Guest::steady();
    let (module, said) = sandbox.prepare(&guest.module()).unwrap();
    assert_eq!((said.name.as_str(), said.version.as_str(), said.state_schema), ("steady", "1.0.0", 1));
    let (component, same) = sandbox.prepare(&guest.component()).unwrap();
    assert_eq!(said, same);
    assert_ne!(module, component);
    prepare(&sandbox, &Guest { name: "loud".to_owned(), ..Guest::default().import_log() });
    sandbox.prepare(&Guest { name: "loud".to_owned(), ..Guest::default().import_log() }.component()).unwrap();
}

/// A later contract of the same track, with additions only, is the same contract.
#[test]
fn a_compatible_version_is_accepted() {
    let newer = |text: &str| text.replace("@0.1.0", "@0.1.4");
    let guest = Guest::default().import_log();
    let guest = Guest {
        wit: newer(&guest.wit),
        interface: newer(&guest.interface),
        imports: newer(&guest.imports),
        ..guest
    };
    let sandbox = sandbox(Limits::default());
    let version = prepare(&sandbox, &guest);
    guest::one(&mut sandbox.start(&version, &guest::config()).unwrap(), &guest::bar(0)).unwrap();
}

/// A hundred megabytes are refused by their size alone.
#[test]
fn a_huge_file() {
    let mut bytes = Guest::default().module();
    bytes.resize(100 * 1024 * 1024, 0);
    assert_refused!(Limits::default(), &bytes, Refused::TooLarge { .. }, "104857600", "wasm_bytes");
}

/// Text and other files are named for what they are not.
#[test]
fn what_is_not_webassembly() {
    for bytes in [b"".as_slice(), b"\0", b"(module)", b"#!/bin/sh\n", &[0xff; 4096]] {
        assert_refused!(Limits::default(), bytes, Refused::NotWasm, "wasm32-unknown-unknown");
    }
}

/// A file cut off anywhere is refused, whatever is missing.
#[test]
fn a_truncated_file() {
    let sandbox = sandbox(Limits::default());
    for whole in [Guest::steady().module(), Guest::steady().component()] {
        for length in (0..whole.len()).step_by(17).chain([whole.len() - 1]) {
            sandbox.prepare(&whole[..length]).unwrap_err();
        }
    }
}

/// A file with flipped bits is refused or works; it never harms the host.
#[test]
fn a_damaged_file() {
    let sandbox = sandbox(Limits { fuel_per_start: 1_000_000, ..Limits::default() });
    let whole = Guest::steady().module();
    for position in (8..whole.len()).step_by(11) {
        let mut bytes = whole.clone();
        bytes[position] ^= 0x41;
        if let Ok((version, _)) = sandbox.prepare(&bytes)
            && let Ok(mut strategy) = sandbox.start(&version, &guest::config())
        {
            let _ = guest::run(&mut strategy, &guest::bars(20), 1);
        }
    }
}

/// An import that is not offered is named.
#[test]
fn a_forbidden_import() {
    for imports in [
        "(import \"env\" \"exec\" (func))",
        "(import \"bulkhead:strategy/logging@0.1.0\" \"place-order\" (func))",
        "(import \"bulkhead:strategy/logging@0.9.0\" \"log\" (func (param i32 i32 i32)))",
        "(import \"env\" \"memory2\" (global i32))",
    ] {
        let guest = Guest { imports: imports.to_owned(), ..Guest::default() };
        let name = imports.split('"').nth(3).unwrap();
        assert_refused!(
            Limits::default(),
            &guest.module(),
            Refused::ForbiddenImport { .. },
            name,
            "the only import"
        );
    }
}

/// WASI is refused with the way to build without it.
#[test]
fn a_wasi_import() {
    let imports =
        "(import \"wasi_snapshot_preview1\" \"fd_write\" (func (param i32 i32 i32 i32) (result i32)))";
    let guest = Guest { imports: imports.to_owned(), ..Guest::default() };
    assert_refused!(
        Limits::default(),
        &guest.module(),
        Refused::WasiImport { .. },
        "wasi_snapshot_preview1#fd_write",
        "wasm32-unknown-unknown",
        "--stub-wasi"
    );
    let component = wat::parse_str(
        r#"(component
            (import "bulkhead:strategy/types@0.1.0" (instance))
            (import "wasi:clocks/monotonic-clock@0.2.0" (instance (export "now" (func (result u64))))))"#,
    )
    .unwrap();
    assert_refused!(
        Limits::default(),
        &component,
        Refused::WasiImport { .. },
        "wasi:clocks/monotonic-clock@0.2.0"
    );
}

/// A module built without the SDK has no type section.
#[test]
fn a_module_without_a_type_section() {
    let bytes = wat::parse_str(Guest::default().wat()).unwrap();
    assert_refused!(
        Limits::default(),
        &bytes,
        Refused::NoTypeSection,
        "component-type",
        "wasm-tools component embed"
    );
}

/// Generators write a second section that holds only imports; it is no hindrance, and not enough.
#[test]
fn a_type_section_without_exports() {
    let imports_only = guest::WIT.replace("    export strategy;\n", "");
    let mut bytes = Guest::default().module();
    embed(&mut bytes, &imports_only);
    sandbox(Limits::default()).prepare(&bytes).unwrap();
    let mut bytes = wat::parse_str(Guest::default().wat()).unwrap();
    embed(&mut bytes, &imports_only);
    assert_refused!(Limits::default(), &bytes, Refused::NoTypeSection, "component-type");
}

/// A missing function is named, for modules and components.
#[test]
fn a_missing_export() {
    let wat = Guest::default().wat().replace("(export \"bulkhead:strategy/strategy@0.1.0#save\")", "");
    let mut bytes = wat::parse_str(wat).unwrap();
    embed(&mut bytes, guest::WIT);
    assert_refused!(
        Limits::default(),
        &bytes,
        Refused::MissingExport { .. },
        "bulkhead:strategy/strategy@0.1.0#save",
        "contract 0.1.0"
    );
    let component = wat::parse_str(
        "(component (instance $i) (export \"bulkhead:strategy/strategy@0.1.0\" (instance $i)))",
    );
    assert_refused!(Limits::default(), &component.unwrap(), Refused::MissingExport { .. }, "#describe");
    let stranger = wat::parse_str("(module (func (export \"run\")) (func (export \"stop\")))").unwrap();
    assert_refused!(
        Limits::default(),
        &stranger,
        Refused::MissingExport { .. },
        "no Bulkhead strategy",
        "run, stop"
    );
}

/// A function of another type is named, with the difference.
#[test]
fn a_wrongly_typed_export() {
    let wat = Guest::default().wat().replace(
        "#restore\") (param i32 i32 i32) (result i32)",
        "#restore\") (param i64 i32 i32) (result i32)",
    );
    let mut bytes = wat::parse_str(wat).unwrap();
    embed(&mut bytes, guest::WIT);
    assert_refused!(
        Limits::default(),
        &bytes,
        Refused::WrongExport { .. },
        "#restore",
        "(i64, i32, i32)",
        "(i32, i32, i32)"
    );
}

/// Types that look alike in a module's signatures are told apart by the type section.
#[test]
fn a_contract_that_differs_inside_a_record() {
    let cases = [
        // f32 and f64 differ in a record that is passed in memory.
        (
            "        close: f64,\n        /// Traded",
            "        close: f32,\n        /// Traded",
            ".bar.close is f32, not f64",
        ),
        ("        consumed: u32,", "        handled: u32,", "[handled, actions], not [consumed, actions]"),
        ("    enum side { buy, sell }", "    enum side { sell, buy }", "[sell, buy], not [buy, sell]"),
    ];
    for (from, to, difference) in cases {
        let wit = guest::WIT.replace(from, to);
        assert_ne!(wit, guest::WIT, "{from}");
        let guest = Guest { wit, ..Guest::default() };
        assert_refused!(
            Limits::default(),
            &guest.module(),
            Refused::WrongExport { .. },
            "#on-events",
            difference
        );
        assert_refused!(
            Limits::default(),
            &guest.component(),
            Refused::WrongExport { .. },
            "#on-events",
            difference
        );
    }
}

/// Another version of the contract is told from a broken file.
#[test]
fn another_contract_version() {
    let other = |text: &str| text.replace("@0.1.0", "@0.2.0");
    let guest = Guest::default();
    let guest = Guest { wit: other(&guest.wit), interface: other(&guest.interface), ..guest };
    for bytes in [guest.module(), guest.component()] {
        assert_refused!(
            Limits::default(),
            &bytes,
            Refused::ContractVersion { .. },
            "version 0.2.0",
            "speaks 0.1.0"
        );
    }
}

/// Proposals that are switched off are refused as invalid.
#[test]
fn switched_off_proposals() {
    for memory in [
        "(memory (export \"memory\") i64 8)",
        "(memory (export \"memory\") 8 8 shared)",
        "(memory (export \"memory\") 8) (memory 1)",
    ] {
        let guest = Guest { memory: memory.to_owned(), ..Guest::default() };
        let Ok(mut bytes) = wat::parse_str(guest.wat()) else { panic!("{memory}") };
        embed(&mut bytes, guest::WIT);
        let (_, message) = refused(Limits::default(), &bytes);
        assert!(message.contains("not valid at byte"), "{memory}: {message}");
    }
}

/// Many functions, large functions, deep nesting and huge branch tables: what makes compilers slow.
#[test]
fn a_compile_bomb() {
    let bomb = |more: String| Guest { more, ..Guest::default() }.module();
    let limits = Limits { function_bytes: 64 * 1024, functions: 1_000, nesting: 100, ..Limits::default() };
    let many = bomb("(func)".repeat(1_001));
    assert_refused!(limits.clone(), &many, Refused::TooComplex { .. }, "functions", "limit functions");
    let large = bomb(format!("(func {})", "(drop (i32.const 1))".repeat(30_000)));
    assert_refused!(limits.clone(), &large, Refused::TooComplex { .. }, "function_bytes");
    let deep = bomb(format!("(func {} {})", "(block ".repeat(101), ")".repeat(101)));
    assert_refused!(limits.clone(), &deep, Refused::TooComplex { .. }, "nesting");
    let locals = bomb(format!("(func (local {}))", "i64 ".repeat(10_001)));
    assert_refused!(limits.clone(), &locals, Refused::TooComplex { .. }, "function_locals");
    let table = format!("(br_table {} (i32.const 0))", "0 ".repeat(1_000));
    let tables = bomb(format!("(func {})", format!("(block {table})").repeat(40)));
    let limits = Limits { branch_targets: 20_000, ..limits };
    assert_refused!(limits.clone(), &tables, Refused::TooComplex { .. }, "branch_targets");
    let results = bomb(format!("(type (func (result {})))", "i32 ".repeat(900)));
    assert_refused!(limits, &results, Refused::TooComplex { .. }, "16 results");
}

/// Components inside components, side by side and one in the other.
#[test]
fn a_nest_of_components() {
    let many = format!("(component {})", "(component)".repeat(65));
    let deep = format!("{}{}", "(component ".repeat(66), ")".repeat(66));
    for text in [many, deep, format!("(component {})", "(core module)".repeat(65))] {
        let bytes = wat::parse_str(text).unwrap();
        assert_refused!(Limits::default(), &bytes, Refused::TooComplex { .. }, "limit parts");
    }
}

/// A compilation that takes too long is given up.
#[test]
fn a_slow_compilation() {
    // Well inside the other limits, and far more than a tenth of a second's work.
    let body = "(local.set 0 (i64.add (i64.mul (local.get 0) (local.get 1)) (i64.rotl (local.get 1) (local.get 0))))";
    let function = format!("(func (param i64 i64) {})", body.repeat(4_000));
    let guest = Guest { more: function.repeat(40), ..Guest::default() };
    let limits = Limits { compile_ms: 100, ..Limits::default() };
    assert_refused!(limits, &guest.module(), Refused::CompileTime { limit_ms: 100 }, "compile_ms");
}

/// A description that changes from call to call, or from the second instance on, is a lie.
fn a_lying_describe() {
    let guest = Guest::default();
    let counted = "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (i32.store (i32.const 564) (global.get $calls))";
    let describe = format!("{counted} {}", guest.describe);
    // The warm-up grows by one bar with each call.
    let refused = try_prepare(&sandbox(Limits::default()), &Guest { describe, ..guest }).unwrap_err();
    assert!(matches!(refused, Refused::DescribeDiffers(_)), "{refused:?}");
}

/// A type section that refers to itself sends a naive encoder into endless recursion.
#[test]
fn a_damaged_type_section() {
    let sandbox = sandbox(Limits::default());
    let whole = Guest::default().module();
    let section = whole.windows(14).position(|window| window == b"component-type").unwrap();
    for position in (section + 14..whole.len()).step_by(3) {
        let mut bytes = whole.clone();
        bytes[position] ^= if position % 2 == 0 { 0x01 } else { 0x80 };
        let _ = sandbox.prepare(&bytes);
    }
}

/// A description that makes no sense is refused with all that is wrong.
fn a_nonsensical_description() {
    let sandbox = sandbox(Limits::default());
    let refused = try_prepare(&sandbox, &Guest::named("Not A Name")).unwrap_err();
    assert!(matches!(&refused, Refused::Description(problems) if problems.len() == 1), "{refused:?}");
    assert!(refused.to_string().contains("Not A Name"), "{refused}");
}

/// `describe` may trap, loop, or claim lists that are not there.
fn a_describe_that_misbehaves() {
    let limits = Limits { fuel_per_start: 200_000, ..Limits::default() };
    for (describe, why) in [
        ("(unreachable)", "trapped"),
        ("(loop $l (br $l)) (unreachable)", "instruction budget of 200000"),
        ("(i32.store (i32.const 532) (i32.const 0x7fffffff)) (i32.const 512)", "broke the contract"),
        ("(i32.const 513)", "broke the contract"),
        ("(i32.const -16)", "broke the contract"),
    ] {
        let guest = Guest { describe: describe.to_owned(), ..Guest::default() };
        let refused = try_prepare(&sandbox(limits.clone()), &guest).unwrap_err();
        assert!(matches!(refused, Refused::DescribeFailed(_)), "{describe}: {refused:?}");
        assert!(refused.to_string().contains(why), "{describe}: {refused}");
    }
}

/// A memory that is too large from the start is refused.
fn a_memory_too_large_from_the_start() {
    let guest = Guest { memory: "(memory (export \"memory\") 2000)".to_owned(), ..Guest::default() };
    let refused = try_prepare(&sandbox(Limits::default()), &guest).unwrap_err();
    assert!(refused.to_string().contains("memory limit of 67108864 bytes"), "{refused}");
}

/// Settings that make no sense are refused with all that is wrong.
#[test]
fn invalid_limits() {
    let limits = Limits { fuel_per_call: 1, compile_ms: 0, ..Limits::default() };
    let error = bulkhead_sandbox::Sandbox::new(bulkhead_sandbox::Settings { limits, ..Default::default() });
    let message = error.unwrap_err().to_string();
    assert!(message.contains("fuel_per_call") && message.contains("compile_ms"), "{message}");
}

guest::both_ways! {
    a_lying_describe,
    a_nonsensical_description,
    a_describe_that_misbehaves,
    a_memory_too_large_from_the_start,
}
