package portal

// staffRoutes are the pages of the office under /gestion/.
func (s *server) staffRoutes() []route {
	return []route{}
}
