//! Transactions as the executor of EVM chains makes them, and as somebody who took it over would like them.

use alloy_consensus::TxEip1559;
use alloy_primitives::{Address, Bytes, TxKind, U256};
use alloy_sol_types::{SolCall, sol};
use proptest::prelude::*;

use super::*;
use crate::request::{Purpose, SigningRequest, Step};

// Written down apart from what the decoder has, as the routers' own sources have them.
sol! {
    interface V2 {
        function swapExactTokensForTokens(uint256 amountIn, uint256 amountOutMin, address[] path, address to, uint256 deadline) external;
        function swapTokensForExactTokens(uint256 amountOut, uint256 amountInMax, address[] path, address to, uint256 deadline) external;
        function swapExactETHForTokens(uint256 amountOutMin, address[] path, address to, uint256 deadline) external payable;
        function swapETHForExactTokens(uint256 amountOut, address[] path, address to, uint256 deadline) external payable;
        function swapExactTokensForETH(uint256 amountIn, uint256 amountOutMin, address[] path, address to, uint256 deadline) external;
        function swapTokensForExactETH(uint256 amountOut, uint256 amountInMax, address[] path, address to, uint256 deadline) external;
        function swapExactTokensForTokensSupportingFeeOnTransferTokens(uint256 amountIn, uint256 amountOutMin, address[] path, address to, uint256 deadline) external;
        function swapExactETHForTokensSupportingFeeOnTransferTokens(uint256 amountOutMin, address[] path, address to, uint256 deadline) external payable;
        function swapExactTokensForETHSupportingFeeOnTransferTokens(uint256 amountIn, uint256 amountOutMin, address[] path, address to, uint256 deadline) external;
    }
    interface V3 {
        struct ExactInputParams { bytes path; address recipient; uint256 deadline; uint256 amountIn; uint256 amountOutMinimum; }
        struct ExactOutputParams { bytes path; address recipient; uint256 deadline; uint256 amountOut; uint256 amountInMaximum; }
        function exactInput(ExactInputParams params) external payable;
        function exactOutput(ExactOutputParams params) external payable;
        function multicall(bytes[] data) external payable;
        function unwrapWETH9(uint256 amountMinimum, address recipient) external payable;
        function refundETH() external payable;
        function sweepToken(address token, uint256 amountMinimum, address recipient) external payable;
    }
    interface Token {
        function approve(address spender, uint256 value) external;
        function transfer(address to, uint256 value) external;
        function transferFrom(address from, address to, uint256 value) external;
        function deposit() external payable;
        function withdraw(uint256 value) external;
    }
}

const OWN: Address = Address::repeat_byte(0x11);
const WETH: Address = Address::repeat_byte(0x22);
const USD: Address = Address::repeat_byte(0x33);
const COIN: Address = Address::repeat_byte(0x44);
const ROUTER_V2: Address = Address::repeat_byte(0xa2);
const ROUTER_V3: Address = Address::repeat_byte(0xa3);
const THIEF: Address = Address::repeat_byte(0x66);
const NOW: u64 = 1_800_000_000;
const DEADLINE: u64 = NOW + 60;

const POLICY: &str = r#"
[[chain]]
id = 1
max_fee_per_gas = "50_000_000_000"
max_gas = 500_000
max_fees_per_day = "100_000_000_000_000_000"
wrapped_native = "0x2222222222222222222222222222222222222222"
native = { per_transaction = "1_000", per_day = "5_000" }

[[chain.router]]
address = "0xa2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2"
kind = "uniswap-v2"

[[chain.router]]
address = "0xa3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3"
kind = "uniswap-v3"

[[chain.token]]
address = "0x2222222222222222222222222222222222222222"
spend = { per_transaction = "1_000", per_day = "5_000" }
spenders = ["0xa2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2", "0xa3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3"]

[[chain.token]]
address = "0x3333333333333333333333333333333333333333"
spend = { per_transaction = "2_000", per_day = "9_000" }
spenders = ["0xa2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2"]

[[chain.token]]
address = "0x4444444444444444444444444444444444444444"
"#;

fn policy() -> Policy {
    Policy::from_toml(POLICY).unwrap()
}

fn number(number: u64) -> U256 {
    U256::from(number)
}

fn request(to: Address, value: u64, input: impl Into<Bytes>, step: Step) -> SigningRequest {
    let transaction = TxEip1559 {
        chain_id: 1,
        nonce: 7,
        gas_limit: 300_000,
        max_fee_per_gas: 30_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to: TxKind::Call(to),
        value: number(value),
        input: input.into(),
        ..TxEip1559::default()
    };
    SigningRequest { transaction, purpose: Purpose { order: "momentum/17".parse().unwrap(), step } }
}

fn checked(request: &SigningRequest) -> Result<Allowed, Refusal> {
    check(request, OWN, &policy(), NOW)
}

/// What a swap spends and buys, as the policy sees it.
fn swap(to: Address, value: u64, input: Vec<u8>) -> Result<(Asset, u64, Asset, u64), Refusal> {
    let allowed = checked(&request(to, value, input, Step::Swap))?;
    let Some(Call::Swap(swap)) = allowed.call else { panic!("no swap: {:?}", allowed.call) };
    assert_eq!(allowed.spent.map(|(asset, most, _)| (asset, most)), Some((swap.spent, swap.most)));
    Ok((swap.spent, swap.most.to(), swap.bought, swap.least.to()))
}

fn code<T: std::fmt::Debug>(result: Result<T, Refusal>) -> &'static str {
    result.unwrap_err().code()
}

/// A path as the V3 router takes it: tokens with fees of three bytes between them.
fn packed(tokens: &[Address]) -> Bytes {
    let mut bytes = Vec::new();
    for (place, token) in tokens.iter().enumerate() {
        if place > 0 {
            bytes.extend([0, 0x0b, 0xb8]);
        }
        bytes.extend(token.as_slice());
    }
    bytes.into()
}

fn exact_input(tokens: &[Address], recipient: Address, amount: u64, least: u64) -> Vec<u8> {
    let params = V3::ExactInputParams {
        path: packed(tokens),
        recipient,
        deadline: number(DEADLINE),
        amountIn: number(amount),
        amountOutMinimum: number(least),
    };
    V3::exactInputCall { params }.abi_encode()
}

/// `tokens` from what is spent to what is bought; the router takes them the other way round.
fn exact_output(tokens: &[Address], recipient: Address, amount: u64, most: u64) -> Vec<u8> {
    let backwards: Vec<Address> = tokens.iter().rev().copied().collect();
    let params = V3::ExactOutputParams {
        path: packed(&backwards),
        recipient,
        deadline: number(DEADLINE),
        amountOut: number(amount),
        amountInMaximum: number(most),
    };
    V3::exactOutputCall { params }.abi_encode()
}

fn multicall(calls: Vec<Vec<u8>>) -> Vec<u8> {
    V3::multicallCall { data: calls.into_iter().map(Into::into).collect() }.abi_encode()
}

fn unwrap(least: u64, recipient: Address) -> Vec<u8> {
    V3::unwrapWETH9Call { amountMinimum: number(least), recipient }.abi_encode()
}

fn refund() -> Vec<u8> {
    V3::refundETHCall {}.abi_encode()
}

/// Every call that the executor makes of a V2 router, with what it spends and buys.
fn v2_calls(to: Address) -> Vec<(u64, Vec<u8>, Asset, Asset)> {
    let (usd, coin) = (Asset::Token(USD), Asset::Token(COIN));
    let deadline = number(DEADLINE);
    let (given, got) = (number(900), number(40));
    let through = || vec![USD, WETH, COIN];
    let (from, into) = (|| vec![WETH, COIN], || vec![USD, WETH]);
    macro_rules! call {
        ($method:ident { $($field:ident: $value:expr),* }) => {
            V2::$method { $($field: $value,)* to, deadline }.abi_encode()
        };
    }
    vec![
        (
            0,
            call!(swapExactTokensForTokensCall { amountIn: given, amountOutMin: got, path: through() }),
            usd,
            coin,
        ),
        (
            0,
            call!(swapTokensForExactTokensCall { amountOut: got, amountInMax: given, path: through() }),
            usd,
            coin,
        ),
        (900, call!(swapExactETHForTokensCall { amountOutMin: got, path: from() }), Asset::Native, coin),
        (900, call!(swapETHForExactTokensCall { amountOut: got, path: from() }), Asset::Native, coin),
        (
            0,
            call!(swapExactTokensForETHCall { amountIn: given, amountOutMin: got, path: into() }),
            usd,
            Asset::Native,
        ),
        (
            0,
            call!(swapTokensForExactETHCall { amountOut: got, amountInMax: given, path: into() }),
            usd,
            Asset::Native,
        ),
        (
            0,
            call!(swapExactTokensForTokensSupportingFeeOnTransferTokensCall {
                amountIn: given,
                amountOutMin: got,
                path: through()
            }),
            usd,
            coin,
        ),
        (
            900,
            call!(swapExactETHForTokensSupportingFeeOnTransferTokensCall { amountOutMin: got, path: from() }),
            Asset::Native,
            coin,
        ),
        (
            0,
            call!(swapExactTokensForETHSupportingFeeOnTransferTokensCall {
                amountIn: given,
                amountOutMin: got,
                path: into()
            }),
            usd,
            Asset::Native,
        ),
    ]
}

/// Every call that the executor makes of a V3 router.
fn v3_calls() -> Vec<(u64, Vec<u8>, Asset, Asset)> {
    let (usd, coin, zero) = (Asset::Token(USD), Asset::Token(COIN), Address::ZERO);
    vec![
        (0, exact_output(&[USD, WETH, COIN], OWN, 40, 900), usd, coin),
        (0, exact_input(&[USD, WETH, COIN], OWN, 900, 40), usd, coin),
        (900, multicall(vec![exact_output(&[WETH, COIN], OWN, 40, 900), refund()]), Asset::Native, coin),
        (900, exact_input(&[WETH, COIN], OWN, 900, 40), Asset::Native, coin),
        (0, multicall(vec![exact_output(&[USD, WETH], zero, 40, 900), unwrap(40, OWN)]), usd, Asset::Native),
        (0, multicall(vec![exact_input(&[USD, WETH], zero, 900, 40), unwrap(40, OWN)]), usd, Asset::Native),
    ]
}

#[test]
fn swaps_of_the_executor_are_understood() {
    let v2 = v2_calls(OWN).into_iter().map(|call| (ROUTER_V2, call));
    let v3 = v3_calls().into_iter().map(|call| (ROUTER_V3, call));
    for (place, (router, (value, input, spent, bought))) in v2.chain(v3).enumerate() {
        assert_eq!(swap(router, value, input), Ok((spent, 900, bought, 40)), "call {place}");
    }
}

#[test]
fn what_is_bought_goes_to_nobody_else() {
    for (value, input, ..) in v2_calls(THIEF) {
        assert_eq!(code(swap(ROUTER_V2, value, input)), "recipient");
    }
    for input in [
        exact_input(&[USD, COIN], THIEF, 900, 40),
        exact_output(&[USD, COIN], THIEF, 40, 900),
        // Left at the router, for anybody to take.
        exact_input(&[USD, COIN], Address::ZERO, 900, 40),
        exact_input(&[USD, WETH], ROUTER_V3, 900, 40),
        multicall(vec![exact_input(&[USD, WETH], Address::ZERO, 900, 40), unwrap(40, THIEF)]),
        multicall(vec![exact_input(&[USD, WETH], Address::ZERO, 900, 40), refund()]),
        multicall(vec![exact_input(&[USD, WETH], OWN, 900, 40), unwrap(40, OWN)]),
    ] {
        assert_eq!(code(swap(ROUTER_V3, 0, input)), "recipient");
    }
}

#[test]
fn what_is_more_than_a_swap_is_not_understood() {
    let trade = || exact_input(&[USD, COIN], OWN, 900, 40);
    let sweep = V3::sweepTokenCall { token: USD, amountMinimum: U256::ZERO, recipient: THIEF }.abi_encode();
    for (value, input) in [
        (0, multicall(vec![trade(), trade()])),
        (0, multicall(vec![trade(), sweep.clone()])),
        (0, multicall(vec![sweep, trade()])),
        (0, multicall(vec![unwrap(0, OWN)])),
        (0, multicall(vec![])),
        (0, multicall(vec![multicall(vec![trade()])])),
        (0, unwrap(0, OWN)),
        // Native currency that nobody asks back, or that is not what the swap spends.
        (900, exact_output(&[WETH, COIN], OWN, 40, 900)),
        (901, multicall(vec![exact_output(&[WETH, COIN], OWN, 40, 900), refund()])),
        (900, trade()),
        // Not the whole of the call, or more than that.
        (0, trade()[..trade().len() - 1].to_vec()),
        (0, [trade(), vec![0]].concat()),
        (0, [trade(), vec![0; 32]].concat()),
        (0, Vec::new()),
        (0, exact_input(&[USD, COIN, USD], OWN, 900, 40)),
        (0, exact_input(&[USD], OWN, 900, 40)),
    ] {
        let refusal = swap(ROUTER_V3, value, input.clone()).unwrap_err();
        assert_eq!(refusal.code(), "not_understood", "{}: {refusal}", Bytes::from(input));
    }
    let (_, input, ..) = v2_calls(OWN).remove(0);
    assert_eq!(code(swap(ROUTER_V2, 1, input)), "not_understood", "native currency with a swap of tokens");
}

#[test]
fn a_swap_keeps_to_the_policys_tokens_limits_minimum_and_deadline() {
    let other = Address::repeat_byte(0x55);
    let v3 = |input| swap(ROUTER_V3, 0, input);
    assert_eq!(code(v3(exact_input(&[other, COIN], OWN, 900, 40))), "token");
    assert_eq!(code(v3(exact_input(&[USD, other], OWN, 900, 40))), "token");
    assert_eq!(code(v3(exact_input(&[USD, other, COIN], OWN, 900, 40))), "token");
    assert_eq!(code(v3(exact_input(&[USD, COIN], OWN, 2_001, 40))), "spend");
    assert!(v3(exact_input(&[USD, COIN], OWN, 2_000, 40)).is_ok());
    assert_eq!(code(v3(exact_output(&[USD, COIN], OWN, 40, 2_001))), "spend");
    // It can only be bought.
    assert_eq!(code(v3(exact_input(&[COIN, USD], OWN, 1, 40))), "spend");
    assert_eq!(code(swap(ROUTER_V3, 1_001, exact_input(&[WETH, COIN], OWN, 1_001, 40))), "spend");
    assert_eq!(code(v3(exact_input(&[USD, COIN], OWN, 900, 0))), "zero_minimum");
    assert_eq!(code(swap(THIEF, 0, exact_input(&[USD, COIN], OWN, 900, 40))), "contract");

    let late =
        check(&request(ROUTER_V3, 0, v3_calls().remove(0).1, Step::Swap), OWN, &policy(), DEADLINE - 3_601);
    assert_eq!(code(late), "deadline");
}

#[test]
fn the_least_of_an_unwrapped_sale_is_the_larger_of_both_minima() {
    let input = multicall(vec![exact_input(&[USD, WETH], Address::ZERO, 900, 0), unwrap(40, OWN)]);
    assert_eq!(swap(ROUTER_V3, 0, input), Ok((Asset::Token(USD), 900, Asset::Native, 40)));
    let input = multicall(vec![exact_input(&[USD, WETH], Address::ZERO, 900, 0), unwrap(0, OWN)]);
    assert_eq!(code(swap(ROUTER_V3, 0, input)), "zero_minimum");
}

#[test]
fn approvals_are_of_nothing_or_no_more_than_may_be_spent_and_for_listed_spenders() {
    let approve = |token, spender, value| {
        checked(&request(token, 0, Token::approveCall { spender, value }.abi_encode(), Step::Approve))
    };
    for value in [0, 900, 2_000] {
        let allowed = approve(USD, ROUTER_V2, number(value)).unwrap();
        assert_eq!(
            allowed.call,
            Some(Call::Approve { token: USD, spender: ROUTER_V2, amount: number(value) })
        );
        assert_eq!(allowed.spent, None);
    }
    assert_eq!(code(approve(USD, ROUTER_V2, number(2_001))), "approval");
    assert_eq!(code(approve(USD, ROUTER_V2, U256::MAX)), "approval");
    assert_eq!(code(approve(USD, ROUTER_V3, number(1))), "spender");
    assert_eq!(code(approve(USD, THIEF, U256::ZERO)), "spender");
    assert_eq!(code(approve(THIEF, ROUTER_V2, number(1))), "contract");
    // Of the wrapped native currency, which is a token too.
    approve(WETH, ROUTER_V3, number(1_000)).unwrap();
    let paid = request(
        USD,
        1,
        Token::approveCall { spender: ROUTER_V2, value: number(1) }.abi_encode(),
        Step::Approve,
    );
    assert_eq!(code(checked(&paid)), "not_understood");
}

#[test]
fn nothing_is_given_away() {
    for input in [
        Token::transferCall { to: THIEF, value: number(1) }.abi_encode(),
        Token::transferFromCall { from: OWN, to: THIEF, value: number(1) }.abi_encode(),
    ] {
        assert_eq!(code(checked(&request(USD, 0, input, Step::Swap))), "not_understood");
    }
    assert_eq!(code(checked(&request(THIEF, 1, Bytes::new(), Step::Swap))), "contract");
    let mut creation = request(USD, 0, Bytes::new(), Step::Swap);
    creation.transaction.to = TxKind::Create;
    assert_eq!(code(checked(&creation)), "creation");
}

#[test]
fn nothing_to_oneself_is_a_cancellation() {
    let allowed = checked(&request(OWN, 0, Bytes::new(), Step::Cancel)).unwrap();
    assert_eq!((allowed.call, allowed.spent), (Some(Call::Cancel), None));
    assert_eq!(code(checked(&request(OWN, 1, Bytes::new(), Step::Cancel))), "not_understood");
    assert_eq!(code(checked(&request(OWN, 0, vec![0], Step::Cancel))), "not_understood");
    assert_eq!(code(checked(&request(THIEF, 0, Bytes::new(), Step::Cancel))), "contract");
    // What is said to be a cancellation is one, also where everything is allowed.
    let anything = |request: &SigningRequest| check(request, OWN, &Policy::anything(), NOW);
    assert_eq!(code(anything(&request(THIEF, 1, Bytes::new(), Step::Cancel))), "purpose");
    anything(&request(THIEF, 1, Bytes::new(), Step::Swap)).unwrap();
}

#[test]
fn native_currency_is_wrapped_and_unwrapped_within_the_limits() {
    let wrap = |value| checked(&request(WETH, value, Token::depositCall {}.abi_encode(), Step::Wrap));
    assert_eq!(wrap(1_000).unwrap().spent, Some((Asset::Native, number(1_000), number(5_000))));
    assert_eq!(code(wrap(1_001)), "spend");
    let unwrap = Token::withdrawCall { value: number(900) }.abi_encode();
    checked(&request(WETH, 0, unwrap.clone(), Step::Unwrap)).unwrap();
    assert_eq!(code(checked(&request(WETH, 1, unwrap, Step::Unwrap))), "not_understood");
}

#[test]
fn chain_fee_gas_and_purpose_are_held_to_the_policy() {
    let good = || request(ROUTER_V3, 0, v3_calls().remove(0).1, Step::Swap);
    checked(&good()).unwrap();
    type Change = fn(&mut SigningRequest);
    let changes: [(Change, &str); 5] = [
        (|request| request.transaction.chain_id = 2, "chain"),
        (|request| request.transaction.max_fee_per_gas = 50_000_000_001, "fee_per_gas"),
        (|request| request.transaction.gas_limit = 500_001, "gas"),
        (|request| request.purpose.step = Step::Cancel, "purpose"),
        (|request| request.transaction.access_list.0.push(Default::default()), "not_understood"),
    ];
    for (change, expected) in changes {
        let mut request = good();
        change(&mut request);
        assert_eq!(code(checked(&request)), expected);
    }
}

#[test]
fn a_policy_tells_all_that_is_wrong_with_it() {
    let text = POLICY.replace("per_day = \"5_000\"", "per_day = \"5\"").replace(
        "address = \"0x44",
        "address = \"0x0000000000000000000000000000000000000000\"\n[[chain.token]]\naddress = \"0x44",
    );
    let fault = Policy::from_toml(&text).unwrap_err().to_string();
    assert!(fault.contains("native may be spent in one transaction more than in a day"), "{fault}");
    assert!(fault.contains("a token has the zero address"), "{fault}");
    for (from, to) in
        [("max_gas", "max_gsa"), ("\"1_000\"", "\"-1\""), ("\"1_000\"", "\"\""), ("id = 1", "id = 0")]
    {
        assert!(Policy::from_toml(&POLICY.replacen(from, to, 1)).is_err(), "{to}");
    }
    assert_eq!(Policy::from_toml(&policy().to_toml().unwrap()).unwrap(), policy());
}

/// Whatever comes through, it spends no more than the policy allows and gives what it buys to the key itself.
fn is_harmless(request: &SigningRequest) -> Result<(), TestCaseError> {
    let Ok(allowed) = checked(request) else { return Ok(()) };
    match allowed.call {
        Some(Call::Swap(swap)) => {
            let input = request.transaction.input.to_vec();
            prop_assert!(input.windows(20).any(|window| window == OWN.as_slice()));
            prop_assert!(swap.path.iter().all(|token| [USD, WETH, COIN].contains(token)));
            prop_assert!(swap.most <= number(2_000) && !swap.least.is_zero());
            prop_assert!(swap.deadline <= number(NOW + 3_600));
        }
        Some(Call::Approve { spender, amount, .. }) => {
            prop_assert!([ROUTER_V2, ROUTER_V3].contains(&spender) && amount <= number(2_000));
        }
        Some(Call::Wrap { .. } | Call::Unwrap { .. } | Call::Cancel) => {}
        None => prop_assert!(false, "not decoded"),
    }
    Ok(())
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Approve),
        Just(Step::Swap),
        Just(Step::Wrap),
        Just(Step::Unwrap),
        Just(Step::Cancel)
    ]
}

proptest! {
    #[test]
    fn random_calls_are_refused(
        to in prop_oneof![Just(ROUTER_V2), Just(ROUTER_V3), Just(USD), Just(THIEF)],
        method in prop::sample::select(vec![None, Some(V3::multicallCall::SELECTOR), Some(V3::exactInputCall::SELECTOR),
            Some(V2::swapExactETHForTokensCall::SELECTOR), Some(Token::approveCall::SELECTOR)]),
        rest in prop::collection::vec(any::<u8>(), 0..600),
        value in 0_u64..3,
        step in steps(),
    ) {
        let input = [method.map(|method| method.to_vec()).unwrap_or_default(), rest].concat();
        let request = request(to, value, input, step);
        prop_assert!(checked(&request).is_err());
    }

    #[test]
    fn calls_with_bytes_changed_are_refused_or_harmless(
        which in 0_usize..15,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let v2 = v2_calls(OWN).into_iter().map(|call| (ROUTER_V2, call));
        let v3 = v3_calls().into_iter().map(|call| (ROUTER_V3, call));
        let (router, (value, mut input, ..)) = v2.chain(v3).nth(which).unwrap();
        for (place, byte) in changes {
            let place = place.index(input.len());
            input[place] = byte;
        }
        is_harmless(&request(router, value, input, Step::Swap))?;
    }
}
