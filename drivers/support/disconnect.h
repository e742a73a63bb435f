/* SPDX-License-Identifier: MIT */
/*
 * The end of a connection that this process has made.
 *
 * A close() ends no connection as long as a child of fork has a copy of its socket: a child that has not come to its
 * handlers yet, or one that was forked while the connection was opened.  So the socket is shut down first.  In a child
 * that lets go of a connection of its parent's it is close() alone: there a shutdown would end what the parent uses.
 */
#ifndef DISCONNECT_H
#define DISCONNECT_H

/* Ends the connection, and closes the socket. */
void disconnect(int descriptor);

/* The same for a library that says goodbye and closes the socket itself: a second descriptor of that socket is taken
   before, and given back when the library has closed it.  -1: there is none, and the library's close() is all. */
int disconnect_begin(int descriptor);
void disconnect_end(int second);

#endif
