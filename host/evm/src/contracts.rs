//! The contracts that are called, as far as they are: tokens, wrapped native currency, and the routers, factories and
//! pools of Uniswap V2 and V3 and their forks.

#![allow(missing_docs, reason = "the interfaces are documented where they are from")]

use alloy::sol;

sol! {
    #[sol(rpc)]
    interface Erc20 {
        event Transfer(address indexed from, address indexed to, uint256 value);
        event Approval(address indexed owner, address indexed spender, uint256 value);
        function name() external view returns (string);
        function symbol() external view returns (string);
        function decimals() external view returns (uint8);
        function totalSupply() external view returns (uint256);
        function balanceOf(address owner) external view returns (uint256);
        function allowance(address owner, address spender) external view returns (uint256);
        function approve(address spender, uint256 value) external returns (bool);
        function transfer(address to, uint256 value) external returns (bool);
    }

    #[sol(rpc)]
    interface WrappedNative {
        event Deposit(address indexed owner, uint256 value);
        event Withdrawal(address indexed owner, uint256 value);
        function deposit() external payable;
        function withdraw(uint256 value) external;
    }

    /// Uniswap V2's `UniswapV2Router02`.
    #[sol(rpc)]
    interface RouterV2 {
        function factory() external view returns (address);
        function WETH() external view returns (address);
        function getAmountsOut(uint256 amountIn, address[] path) external view returns (uint256[] amounts);
        function getAmountsIn(uint256 amountOut, address[] path) external view returns (uint256[] amounts);
        function swapExactTokensForTokens(uint256 amountIn, uint256 amountOutMin, address[] path, address to, uint256 deadline) external returns (uint256[] amounts);
        function swapTokensForExactTokens(uint256 amountOut, uint256 amountInMax, address[] path, address to, uint256 deadline) external returns (uint256[] amounts);
        function swapExactETHForTokens(uint256 amountOutMin, address[] path, address to, uint256 deadline) external payable returns (uint256[] amounts);
        function swapETHForExactTokens(uint256 amountOut, address[] path, address to, uint256 deadline) external payable returns (uint256[] amounts);
        function swapExactTokensForETH(uint256 amountIn, uint256 amountOutMin, address[] path, address to, uint256 deadline) external returns (uint256[] amounts);
        function swapTokensForExactETH(uint256 amountOut, uint256 amountInMax, address[] path, address to, uint256 deadline) external returns (uint256[] amounts);
        function swapExactTokensForTokensSupportingFeeOnTransferTokens(uint256 amountIn, uint256 amountOutMin, address[] path, address to, uint256 deadline) external;
        function swapExactETHForTokensSupportingFeeOnTransferTokens(uint256 amountOutMin, address[] path, address to, uint256 deadline) external payable;
        function swapExactTokensForETHSupportingFeeOnTransferTokens(uint256 amountIn, uint256 amountOutMin, address[] path, address to, uint256 deadline) external;
    }

    #[sol(rpc)]
    interface FactoryV2 {
        event PairCreated(address indexed token0, address indexed token1, address pair, uint256 count);
        function getPair(address a, address b) external view returns (address pair);
    }

    #[sol(rpc)]
    interface PairV2 {
        event Sync(uint112 reserve0, uint112 reserve1);
        event Swap(address indexed sender, uint256 amount0In, uint256 amount1In, uint256 amount0Out, uint256 amount1Out, address indexed to);
        function token0() external view returns (address);
        function token1() external view returns (address);
        function getReserves() external view returns (uint112 reserve0, uint112 reserve1, uint32 blockTimestampLast);
    }

    /// Uniswap V3's first `SwapRouter`, which takes a deadline.
    #[sol(rpc)]
    interface RouterV3 {
        struct ExactInputParams { bytes path; address recipient; uint256 deadline; uint256 amountIn; uint256 amountOutMinimum; }
        struct ExactOutputParams { bytes path; address recipient; uint256 deadline; uint256 amountOut; uint256 amountInMaximum; }
        function factory() external view returns (address);
        function WETH9() external view returns (address);
        function exactInput(ExactInputParams params) external payable returns (uint256 amountOut);
        function exactOutput(ExactOutputParams params) external payable returns (uint256 amountIn);
        function multicall(bytes[] data) external payable returns (bytes[] results);
        function unwrapWETH9(uint256 amountMinimum, address recipient) external payable;
        function refundETH() external payable;
        function sweepToken(address token, uint256 amountMinimum, address recipient) external payable;
    }

    /// Uniswap V3's first `Quoter`. It reverts inside to give its answer, so it is called and never sent.
    #[sol(rpc)]
    interface QuoterV3 {
        function quoteExactInput(bytes path, uint256 amountIn) external returns (uint256 amountOut);
        function quoteExactOutput(bytes path, uint256 amountOut) external returns (uint256 amountIn);
    }

    #[sol(rpc)]
    interface FactoryV3 {
        event PoolCreated(address indexed token0, address indexed token1, uint24 indexed fee, int24 tickSpacing, address pool);
        function getPool(address a, address b, uint24 fee) external view returns (address pool);
    }

    #[sol(rpc)]
    interface PoolV3 {
        event Swap(address indexed sender, address indexed recipient, int256 amount0, int256 amount1, uint160 sqrtPriceX96, uint128 liquidity, int24 tick);
        function token0() external view returns (address);
        function token1() external view returns (address);
        function fee() external view returns (uint24);
        function liquidity() external view returns (uint128);
        function slot0() external view returns (uint160 sqrtPriceX96, int24 tick, uint16 observationIndex, uint16 observationCardinality, uint16 observationCardinalityNext, uint8 feeProtocol, bool unlocked);
    }
}
