package portal

// leaderRoutes are the pages of leaders and coordinators under /animation/.
func (s *server) leaderRoutes() []route {
	return []route{}
}
