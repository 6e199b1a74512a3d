package rpc

import (
	"net"
	"strconv"
	"syscall"
)

// peer tells the id of the user at the other end of a connection, as the kernel knows it (SO_PEERCRED of unix(7)).
func peer(c *net.UnixConn) string {
	raw, err := c.SyscallConn()
	if err != nil {
		return ""
	}
	var cred *syscall.Ucred
	var asked error
	err = raw.Control(func(fd uintptr) {
		cred, asked = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err != nil || asked != nil {
		return ""
	}
	return strconv.FormatUint(uint64(cred.Uid), 10)
}
