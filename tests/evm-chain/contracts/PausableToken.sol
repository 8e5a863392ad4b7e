// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.20;

import "./Token.sol";

/// While it is paused, whatever anybody but the owner does fails with an error of its own, approvals as well.
contract PausableToken is Token {
    bool public paused;

    error TradingPaused(address caller, string reason);

    constructor(string memory symbol_, uint8 decimals_, uint256 supply) Token(symbol_, decimals_, supply) {}

    function setPaused(bool paused_) external onlyOwner {
        paused = paused_;
    }

    function approve(address spender, uint256 value) external override returns (bool) {
        check();
        allowance[msg.sender][spender] = value;
        emit Approval(msg.sender, spender, value);
        return true;
    }

    function move(address from, address to, uint256 value) internal override {
        check();
        super.move(from, to, value);
    }

    function check() private view {
        if (paused && tx.origin != owner) revert TradingPaused(msg.sender, "back on Monday");
    }
}
