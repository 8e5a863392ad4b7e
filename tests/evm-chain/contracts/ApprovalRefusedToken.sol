// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.20;

import "./Token.sol";

/// Says no to approvals of anybody but its owner without failing: the transaction succeeds, and nothing is allowed.
contract ApprovalRefusedToken is Token {
    constructor(string memory symbol_, uint8 decimals_, uint256 supply) Token(symbol_, decimals_, supply) {}

    function approve(address spender, uint256 value) external override returns (bool) {
        if (msg.sender != owner) return false;
        allowance[msg.sender][spender] = value;
        emit Approval(msg.sender, spender, value);
        return true;
    }
}
