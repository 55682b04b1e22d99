package portal

import (
	"context"
	"net/http"
	"time"

	"ribambelle/internal/problem"
)

// health says that the process answers; it asks nobody else.
func (s *server) health(w http.ResponseWriter, _ *http.Request) error {
	return s.send(w, "text/plain; charset=utf-8", []byte("ok\n"))
}

// ready says whether the portal can work: the database answers, and what Config.Ready asks is well.
func (s *server) ready(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
	defer cancel()
	err := s.DB.Ping(ctx)
	if err == nil && s.Ready != nil {
		err = s.Ready(ctx)
	}
	if err != nil {
		s.log.WarnContext(ctx, "not ready", "error", err.Error())
		return problem.Unavailable("portal.error.not_ready")
	}
	return s.send(w, "text/plain; charset=utf-8", []byte("ready\n"))
}
