package sync

import "context"

// PushBeside pushes without waiting for a turn, as a syncer would whose database connection was lost and with it the lock.
func (s *Syncer) PushBeside(ctx context.Context) (r Result, err error) {
	err = s.push(ctx, &r)
	return r, err
}
