use alloy::primitives::aliases::{I24, U24, U160};
use alloy::primitives::{Address, U256, U512};
use alloy::rpc::types::TransactionReceipt;
use alloy::signers::local::PrivateKeySigner;

use crate::account::deployer;
use crate::chain::Chain;
use crate::contracts::{FactoryV2, FactoryV3, PositionsV3, RouterV2, RouterV3, Token, WrappedEther};
use crate::transactions::Reverted;

/// A deadline that never comes.
const NEVER: U256 = U256::MAX;

/// The last tick of Uniswap V3 at which prices end.
const LAST_TICK: i32 = 887_272;

impl Chain {
    /// A pool of Uniswap V2 with these amounts, in the tokens' smallest units; or more in the one that is there. Wrapped
    /// native currency is wrapped first.
    pub async fn add_v2_pool(&self, a: Address, amount_a: U256, b: Address, amount_b: U256) -> Address {
        let router = self.deployed().v2_router;
        self.provide(a, amount_a, router).await;
        self.provide(b, amount_b, router).await;
        let add = RouterV2::addLiquidityCall {
            tokenA: a,
            tokenB: b,
            amountADesired: amount_a,
            amountBDesired: amount_b,
            amountAMin: U256::ZERO,
            amountBMin: U256::ZERO,
            to: deployer().address(),
            deadline: NEVER,
        };
        self.transact(&deployer(), router, &add).await.expect("liquidity can be added");
        let pair = FactoryV2::getPairCall { a, b };
        self.call(deployer().address(), self.deployed().v2_factory, &pair).await.expect("a pair")
    }

    /// A pool of Uniswap V3 with these amounts over all prices; they make its price when it is new. The fee is one of 500,
    /// 3000, 10000 millionths.
    pub async fn add_v3_pool(
        &self,
        a: Address,
        amount_a: U256,
        b: Address,
        amount_b: U256,
        fee: u32,
    ) -> Address {
        let positions = self.deployed().v3_positions;
        self.provide(a, amount_a, positions).await;
        self.provide(b, amount_b, positions).await;
        let (token0, amount0, token1, amount1) =
            if a < b { (a, amount_a, b, amount_b) } else { (b, amount_b, a, amount_a) };
        let create = PositionsV3::createAndInitializePoolIfNecessaryCall {
            token0,
            token1,
            fee: U24::from(fee),
            sqrtPriceX96: sqrt_price(amount0, amount1),
        };
        self.transact(&deployer(), positions, &create).await.expect("a pool can be created");
        let spacing = match fee {
            500 => 10,
            3_000 => 60,
            10_000 => 200,
            _ => panic!("Uniswap V3 has no pools with a fee of {fee} millionths"),
        };
        let last = I24::try_from(LAST_TICK / spacing * spacing).expect("ticks fit");
        let mint = PositionsV3::mintCall {
            params: PositionsV3::MintParams {
                token0,
                token1,
                fee: U24::from(fee),
                tickLower: -last,
                tickUpper: last,
                amount0Desired: amount0,
                amount1Desired: amount1,
                amount0Min: U256::ZERO,
                amount1Min: U256::ZERO,
                recipient: deployer().address(),
                deadline: NEVER,
            },
        };
        self.transact(&deployer(), positions, &mint).await.expect("liquidity can be added");
        let pool = FactoryV3::getPoolCall { a, b, fee: U24::from(fee) };
        self.call(deployer().address(), self.deployed().v3_factory, &pool).await.expect("a pool")
    }

    /// Gives an account tokens, or wrapped native currency.
    pub async fn give(&self, token: Address, to: Address, amount: U256) {
        self.wrap_what_is_missing(token, amount).await;
        let transfer = Token::transferCall { to, value: amount };
        self.transact(&deployer(), token, &transfer).await.expect("the deployer has enough of each token");
    }

    /// Sends an account's tokens elsewhere.
    ///
    /// # Errors
    /// When the token refuses.
    pub async fn send(
        &self,
        token: Address,
        owner: &PrivateKeySigner,
        to: Address,
        amount: U256,
    ) -> Result<TransactionReceipt, Reverted> {
        self.transact(owner, token, &Token::transferCall { to, value: amount }).await
    }

    /// Lets a spender have so much of an account's tokens.
    ///
    /// # Errors
    /// When the token refuses.
    pub async fn approve(
        &self,
        token: Address,
        owner: &PrivateKeySigner,
        spender: Address,
        amount: U256,
    ) -> Result<TransactionReceipt, Reverted> {
        self.transact(owner, token, &Token::approveCall { spender, value: amount }).await
    }

    /// Swaps along a path of tokens through Uniswap V2 for whatever comes out. What is paid with must be approved.
    ///
    /// # Errors
    /// When a contract on the way refuses.
    pub async fn swap_v2(
        &self,
        from: &PrivateKeySigner,
        path: &[Address],
        amount: U256,
    ) -> Result<TransactionReceipt, Reverted> {
        let swap = RouterV2::swapExactTokensForTokensSupportingFeeOnTransferTokensCall {
            amountIn: amount,
            amountOutMin: U256::ZERO,
            path: path.to_vec(),
            to: from.address(),
            deadline: NEVER,
        };
        self.transact(from, self.deployed().v2_router, &swap).await
    }

    /// Swaps through one pool of Uniswap V3 for whatever comes out. What is paid with must be approved.
    ///
    /// # Errors
    /// When a contract on the way refuses.
    pub async fn swap_v3(
        &self,
        from: &PrivateKeySigner,
        token_in: Address,
        token_out: Address,
        fee: u32,
        amount: U256,
    ) -> Result<TransactionReceipt, Reverted> {
        let swap = RouterV3::exactInputSingleCall {
            params: RouterV3::ExactInputSingleParams {
                tokenIn: token_in,
                tokenOut: token_out,
                fee: U24::from(fee),
                recipient: from.address(),
                deadline: NEVER,
                amountIn: amount,
                amountOutMinimum: U256::ZERO,
                sqrtPriceLimitX96: U160::ZERO,
            },
        };
        self.transact(from, self.deployed().v3_router, &swap).await
    }

    /// Moves the price of a pool of Uniswap V2: somebody else swaps so much of a token into the other.
    pub async fn move_v2_price(&self, token_in: Address, token_out: Address, amount: U256) {
        self.provide(token_in, amount, self.deployed().v2_router).await;
        self.swap_v2(&deployer(), &[token_in, token_out], amount).await.expect("the deployer can swap");
    }

    /// Moves the price of a pool of Uniswap V3: somebody else swaps so much of a token into the other.
    pub async fn move_v3_price(&self, token_in: Address, token_out: Address, fee: u32, amount: U256) {
        self.provide(token_in, amount, self.deployed().v3_router).await;
        self.swap_v3(&deployer(), token_in, token_out, fee, amount).await.expect("the deployer can swap");
    }

    /// Sees to it that the deployer has so much and the spender may take it.
    async fn provide(&self, token: Address, amount: U256, spender: Address) {
        self.wrap_what_is_missing(token, amount).await;
        let owner = deployer();
        let allowance = Token::allowanceCall { owner: owner.address(), spender };
        let allowed: U256 = self.call(owner.address(), token, &allowance).await.expect("an allowance");
        if allowed < amount {
            self.approve(token, &owner, spender, U256::MAX).await.expect("the deployer can approve");
        }
    }

    async fn wrap_what_is_missing(&self, token: Address, amount: U256) {
        let owner = deployer();
        if token == self.deployed().weth {
            let missing = amount.saturating_sub(self.balance_of(token, owner.address()).await);
            let wrapped = self.transact_paying(&owner, token, &WrappedEther::depositCall {}, missing).await;
            wrapped.expect("the deployer has enough of the native currency");
        }
    }
}

/// The square root of a price as Uniswap V3 writes it, with 96 binary places.
fn sqrt_price(amount0: U256, amount1: U256) -> U160 {
    let ratio: U512 = (U512::from(amount1) << 192) / U512::from(amount0);
    U160::from(ratio.root(2))
}
