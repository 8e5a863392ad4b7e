//! The macros of `bulkhead-sdk`: parameters from a struct, and a strategy's memory made savable. Use them
//! through that crate.
//!
//! What this crate must never do: accept a struct whose description would be wrong. Whatever can be known
//! while compiling (a default out of its range, a field without a meaning) is an error there, at the place
//! that has to change.

mod parameters;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes each field of a struct a parameter that the operator can set.
///
/// The field's doc comment is its meaning. `#[parameter(default = …)]` is needed, `min = …` and `max = …`
/// bound a number. See `bulkhead_sdk::parameters`.
#[proc_macro_derive(Parameters, attributes(parameter))]
pub fn derive_parameters(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    parameters::expand(&input).unwrap_or_else(darling::Error::write_errors).into()
}

/// Makes a strategy's memory savable: derives serde's `Serialize` and `Deserialize` from the copy of serde
/// that the SDK holds, so that a plugin needs no dependency of its own for it.
///
/// Put it on the strategy's struct and on the types of its fields.
#[proc_macro_attribute]
pub fn state(arguments: TokenStream, item: TokenStream) -> TokenStream {
    if !arguments.is_empty() {
        let arguments = proc_macro2::TokenStream::from(arguments);
        return syn::Error::new_spanned(arguments, "`state` takes no arguments").to_compile_error().into();
    }
    let item = parse_macro_input!(item as DeriveInput);
    quote::quote! {
        #[derive(::bulkhead_sdk::serde::Serialize, ::bulkhead_sdk::serde::Deserialize)]
        #[serde(crate = "::bulkhead_sdk::serde")]
        #item
    }
    .into()
}
