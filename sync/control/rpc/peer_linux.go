package rpc

import (
	"net"
	"strconv"
	"syscall"
)

// peer returns the id of the user at the other end of a connection, from the kernel (SO_PEERCRED of unix(7)).
func peer(c *net.UnixConn) string {
	raw, err := c.SyscallConn()
	if err != nil {
		return ""
	}
	var cred *syscall.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) {
		cred, credErr = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err != nil || credErr != nil {
		return ""
	}
	return strconv.FormatUint(uint64(cred.Uid), 10)
}
