use darling::{Error, FromField, FromMeta};
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Data, DeriveInput, Expr, ExprLit, ExprUnary, Fields, Ident, Lit, Meta, Type, UnOp};

/// One field as written.
#[derive(FromField)]
#[darling(attributes(parameter), forward_attrs(doc))]
struct ParameterField {
    ident: Option<Ident>,
    ty: Type,
    attrs: Vec<syn::Attribute>,
    default: Option<Expression>,
    min: Option<Number>,
    max: Option<Number>,
}

/// Any expression, as it stands in the source.
struct Expression(Expr);

impl FromMeta for Expression {
    fn from_expr(expression: &Expr) -> darling::Result<Self> {
        Ok(Self(expression.clone()))
    }
}

/// A number, and where it is written.
struct Number {
    value: f64,
    span: Span,
}

impl FromMeta for Number {
    fn from_expr(expression: &Expr) -> darling::Result<Self> {
        match literal_number(expression) {
            Some(value) => Ok(Self { value, span: expression.span() }),
            None => Err(Error::custom("a number is expected, such as 2 or 0.5").with_span(expression)),
        }
    }
}

/// The value of a number written as a literal, with its sign.
fn literal_number(expression: &Expr) -> Option<f64> {
    match expression {
        Expr::Lit(ExprLit { lit: Lit::Int(digits), .. }) => digits.base10_parse().ok(),
        Expr::Lit(ExprLit { lit: Lit::Float(digits), .. }) => digits.base10_parse().ok(),
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => literal_number(expr).map(|value| -value),
        Expr::Group(group) => literal_number(&group.expr),
        Expr::Paren(group) => literal_number(&group.expr),
        _ => None,
    }
}

pub(crate) fn expand(input: &DeriveInput) -> darling::Result<TokenStream> {
    let mut errors = Error::accumulator();
    if let Some(parameter) = input.generics.params.first() {
        errors.push(Error::custom("parameters can't be generic").with_span(parameter));
    }
    let mut parameters = Vec::new();
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => {
                for field in &fields.named {
                    parameters.extend(
                        errors
                            .handle(ParameterField::from_field(field))
                            .and_then(|parsed| errors.handle(FieldCode::new(parsed))),
                    );
                }
            }
            Fields::Unit => {}
            Fields::Unnamed(fields) => {
                let message = "parameters need names; write the fields as `name: type`";
                errors.push(Error::custom(message).with_span(fields));
            }
        },
        Data::Enum(_) | Data::Union(_) => {
            let message = "parameters are a struct with a field for each parameter";
            errors.push(Error::custom(message).with_span(&input.ident));
        }
    }
    errors.finish()?;
    Ok(implementation(&input.ident, &parameters))
}

/// What the generated code says of one field.
struct FieldCode {
    ident: Ident,
    ty: Type,
    description: TokenStream,
    default: TokenStream,
}

impl FieldCode {
    fn new(field: ParameterField) -> darling::Result<Self> {
        let mut errors = Error::accumulator();
        let Some(ident) = field.ident else { return Err(Error::custom("parameters need names")) };
        let name = ident.to_string().trim_start_matches("r#").to_owned();
        if name
            .chars()
            .any(|letter| !(letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_'))
        {
            errors.push(Error::custom("a parameter's name is lower case with underscores").with_span(&ident));
        }
        let meaning = doc_comment(&field.attrs);
        if meaning.is_empty() {
            let message =
                format!("say what `{name}` means, with its unit, in a doc comment: the operator reads it");
            errors.push(Error::custom(message).with_span(&ident));
        }
        if let (Some(min), Some(max)) = (&field.min, &field.max)
            && min.value > max.value
        {
            errors.push(
                Error::custom(format!("min {} is above max {}", min.value, max.value)).with_span(&min.span),
            );
        }
        let Some(Expression(default)) = field.default else {
            let message = format!("`{name}` needs a default: #[parameter(default = …)]");
            errors.push(Error::custom(message).with_span(&ident));
            return errors.finish().and(Err(Error::custom("no default")));
        };
        let ty = field.ty;
        errors.handle(check_default(&default, &ty, field.min.as_ref(), field.max.as_ref()));
        let bound = |number: Option<&Number>, natural: &str| match number {
            Some(Number { value, .. }) => quote!(::core::option::Option::Some(#value)),
            None => {
                let natural = Ident::new(natural, Span::call_site());
                quote!(<#ty as ::bulkhead_sdk::parameters::ParameterType>::#natural)
            }
        };
        let minimum = bound(field.min.as_ref(), "SMALLEST");
        let maximum = bound(field.max.as_ref(), "LARGEST");
        let range_check = (field.min.is_some() || field.max.is_some()).then(|| {
            quote_spanned! {ty.span()=>
                const fn has_a_range<T: ::bulkhead_sdk::parameters::RangedType>() {}
                has_a_range::<#ty>();
            }
        });
        let default = default_code(&default, &ty);
        let description = quote! {{
            #range_check
            let default: #ty = #default;
            ::bulkhead_sdk::Parameter {
                name: ::std::string::String::from(#name),
                meaning: ::std::string::String::from(#meaning),
                default: ::bulkhead_sdk::parameters::ParameterType::to_value(&default),
                minimum: #minimum,
                maximum: #maximum,
            }
        }};
        errors.finish()?;
        Ok(Self { ident, ty, description, default })
    }
}

fn check_default(
    default: &Expr,
    ty: &Type,
    min: Option<&Number>,
    max: Option<&Number>,
) -> darling::Result<()> {
    let Some(value) = literal_number(default) else { return Ok(()) };
    let whole_numbers = f64::from(i32::MIN)..=f64::from(i32::MAX);
    match (min, max) {
        _ if !is_float(ty) && !whole_numbers.contains(&value) => {
            Err(Error::custom("the contract's whole numbers have 32 bits with a sign").with_span(default))
        }
        (Some(min), _) if value < min.value => {
            Err(Error::custom(format!("the default {value} is below min {}", min.value)).with_span(default))
        }
        (_, Some(max)) if value > max.value => {
            Err(Error::custom(format!("the default {value} is above max {}", max.value)).with_span(default))
        }
        _ => Ok(()),
    }
}

fn is_float(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.is_ident("f64"))
}

/// The default as an expression of the field's type: `1` may be written for an `f64`, and `"…"` for a
/// `String`.
fn default_code(default: &Expr, ty: &Type) -> TokenStream {
    match (literal_number(default), default) {
        (Some(value), _) if is_float(ty) => quote_spanned!(default.span()=> #value),
        (None, Expr::Lit(ExprLit { lit: Lit::Str(text), .. })) => {
            quote_spanned!(default.span()=> ::core::convert::Into::<#ty>::into(#text))
        }
        _ => quote!(#default),
    }
}

/// The text of a doc comment, its lines joined by spaces.
fn doc_comment(attributes: &[syn::Attribute]) -> String {
    let mut lines = Vec::new();
    for attribute in attributes {
        if let Meta::NameValue(pair) = &attribute.meta
            && let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &pair.value
        {
            lines.extend(
                text.value().lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()),
            );
        }
    }
    lines.join(" ")
}

fn implementation(name: &Ident, fields: &[FieldCode]) -> TokenStream {
    let idents: Vec<_> = fields.iter().map(|field| &field.ident).collect();
    let types: Vec<_> = fields.iter().map(|field| &field.ty).collect();
    let names: Vec<_> =
        idents.iter().map(|ident| ident.to_string().trim_start_matches("r#").to_owned()).collect();
    let descriptions = fields.iter().map(|field| &field.description);
    let defaults: Vec<_> = fields.iter().map(|field| &field.default).collect();
    let places = 0..fields.len();
    quote! {
        #[automatically_derived]
        impl ::core::default::Default for #name {
            fn default() -> Self {
                Self { #(#idents: #defaults,)* }
            }
        }

        #[automatically_derived]
        impl ::bulkhead_sdk::Parameters for #name {
            fn describe() -> ::std::vec::Vec<::bulkhead_sdk::Parameter> {
                ::std::vec![#(#descriptions,)*]
            }

            fn from_settings(
                settings: &[::bulkhead_sdk::Setting],
            ) -> ::core::result::Result<Self, ::std::string::String> {
                let known = <Self as ::bulkhead_sdk::Parameters>::describe();
                let defaults = <Self as ::core::default::Default>::default();
                let mut reader = ::bulkhead_sdk::parameters::Reader::new(settings);
                let parameters = Self {
                    #(#idents: reader.read::<#types>(&known[#places], defaults.#idents),)*
                };
                reader.finish_with(&known, parameters)
            }

            fn to_settings(&self) -> ::std::vec::Vec<::bulkhead_sdk::Setting> {
                ::std::vec![#(::bulkhead_sdk::Setting {
                    name: ::std::string::String::from(#names),
                    value: ::bulkhead_sdk::parameters::ParameterType::to_value(&self.#idents),
                },)*]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The messages of the derive for a source text.
    fn errors(source: &str) -> Vec<String> {
        let input = syn::parse_str(source).unwrap();
        let errors = expand(&input).expect_err("it is to be refused").flatten();
        errors.into_iter().map(|error| error.to_string()).collect()
    }

    fn error(source: &str) -> String {
        let mut errors = errors(source);
        assert_eq!(errors.len(), 1, "{errors:?}");
        errors.remove(0)
    }

    fn field(attributes: &str) -> String {
        format!("struct Settings {{ {attributes} period: u32 }}")
    }

    #[test]
    fn a_parameter_needs_a_meaning() {
        let message = error(&field("#[parameter(default = 3)]"));
        assert!(message.contains("say what `period` means"), "{message}");
    }

    #[test]
    fn a_parameter_needs_a_default() {
        let message = error(&field("/// Bars.\n"));
        assert!(message.contains("`period` needs a default: #[parameter(default = …)]"), "{message}");
    }

    #[test]
    fn the_default_must_be_in_range() {
        let message = error(&field("/// Bars.\n#[parameter(default = 1, min = 2)]"));
        assert_eq!(message, "the default 1 is below min 2");
        let message = error(&field("/// Bars.\n#[parameter(default = 9, max = 8.5)]"));
        assert_eq!(message, "the default 9 is above max 8.5");
        let message = error(&field("/// Bars.\n#[parameter(default = -3, min = -2)]"));
        assert_eq!(message, "the default -3 is below min -2");
    }

    #[test]
    fn a_whole_number_must_fit_the_contract() {
        let message = error(&field("/// Bars.\n#[parameter(default = 3_000_000_000)]"));
        assert!(message.contains("32 bits"), "{message}");
        let number = "struct S { /// M.\n #[parameter(default = 3_000_000_000)] a: f64 }";
        assert!(expand(&syn::parse_str(number).unwrap()).is_ok());
    }

    #[test]
    fn the_range_must_not_be_empty() {
        let message = error(&field("/// Bars.\n#[parameter(default = some(), min = 5, max = 4)]"));
        assert_eq!(message, "min 5 is above max 4");
    }

    #[test]
    fn a_bound_is_a_number() {
        let message = error(&field("/// Bars.\n#[parameter(default = 1, min = \"two\")]"));
        assert!(message.contains("a number is expected"), "{message}");
    }

    #[test]
    fn an_unknown_attribute_is_refused() {
        let message = error(&field("/// Bars.\n#[parameter(default = 1, minimum = 2)]"));
        assert!(message.contains("Unknown field: `minimum`"), "{message}");
    }

    #[test]
    fn all_errors_are_told_at_once() {
        let source = "struct Settings { #[parameter(default = 1)] first: u32, /// Bars.\n second: u32 }";
        let messages = errors(source);
        assert_eq!(messages.len(), 2);
        assert!(
            messages[0].contains("`first` means") && messages[1].contains("`second` needs"),
            "{messages:?}"
        );
    }

    #[test]
    fn only_a_struct_with_names_will_do() {
        assert!(error("enum Settings { A }").contains("a struct with a field for each"));
        assert!(error("struct Settings(u32);").contains("parameters need names"));
        assert!(
            error("struct Settings<T> { /// M.\n #[parameter(default = 1)] a: u32 }").contains("generic")
        );
        let shouting = "struct Settings { /// M.\n #[parameter(default = 1)] Period: u32 }";
        assert!(error(shouting).contains("lower case"));
    }

    #[test]
    fn the_meaning_is_the_doc_comment_in_one_line() {
        let source = "struct S { /// One,\n /// two.\n ///\n /// Three.\n #[parameter(default = 1)] a: u32 }";
        let code = expand(&syn::parse_str(source).unwrap()).unwrap().to_string();
        assert!(code.contains("\"One, two. Three.\""), "{code}");
    }
}
