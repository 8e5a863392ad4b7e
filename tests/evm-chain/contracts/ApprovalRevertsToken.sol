// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.20;

import "./Token.sol";

/// Fails at approvals of anybody but its owner.
contract ApprovalRevertsToken is Token {
    error ApprovalForbidden(address holder, address spender);

    constructor(string memory symbol_, uint8 decimals_, uint256 supply) Token(symbol_, decimals_, supply) {}

    function approve(address spender, uint256 value) external override returns (bool) {
        if (msg.sender != owner) revert ApprovalForbidden(msg.sender, spender);
        allowance[msg.sender][spender] = value;
        emit Approval(msg.sender, spender, value);
        return true;
    }
}
