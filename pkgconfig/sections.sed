# SPDX-License-Identifier: MIT
# Doxygen reads the headers through this: the words that begin a part of a function's description become its sections.
s/(^ \* |[.;]  ?)(Blocks|Ownership|Threads|From a callback|Errors|Idea): */\1\n *\n * @par \2\n * /g
s/(^ \* |[.;]  ?)Returns /\1\n *\n * @return /g
s/(^ \* |[.;]  ?)Since ([0-9.]*[0-9])\./\1\n *\n * @par Since\n * \2\n *\n * /g
