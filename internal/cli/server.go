package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"
)

// newServer returns a server whose limits bound what a slow or hostile client can hold.
func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       2 * time.Minute, // a document over a telephone's connection
		WriteTimeout:      3 * time.Minute, // longer than the longest call of Odoo's wire
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// listen takes an address, or says in one sentence why not; name is the variable or flag it came from.
func listen(ctx context.Context, name, addr string) (net.Listener, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", addr)
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("another program listens on %s already: stop it or set %s to another address", addr, name)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("the system does not let this user listen on %s: set %s to a port of 1024 or more", addr, name)
	}
	return nil, fmt.Errorf("%s cannot be listened on (%s): %w", addr, name, err)
}

// shutdownTime is how long requests under way may go on when the process is told to stop.
const shutdownTime = 10 * time.Second

// serving is an HTTP server that runs until it is shut down.
type serving struct {
	server *http.Server
	failed chan error
}

func serveHTTP(l net.Listener, h http.Handler, log *slog.Logger) *serving {
	s := &serving{server: newServer(h, log), failed: make(chan error, 1)}
	go func() {
		if err := s.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("serving on %s: %w", l.Addr(), err)
		}
	}()
	return s
}

// shutdown lets the requests under way finish, and cuts those that take too long.
func (s *serving) shutdown() {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	if s.server.Shutdown(ctx) != nil {
		s.server.Close()
	}
}
