package portal

// familyRoutes are the pages about who shares a child: the circle, codes to give and to type, and in whose name one
// acts.
func (s *server) familyRoutes() []route {
	const circle = "/mon-espace/famille"
	return []route{
		{get, circle, anyone, s.familyCircle},
		{post, circle + "/enfants/" + idPart + "/coordonnees", anyone, s.familyShare},
		{get, circle + "/inviter", anyone, s.familyInviteNew},
		{post, circle + "/inviter", anyone, s.familyInviteCreate},
		{get, circle + "/codes/" + idPart, anyone, s.familyCodeShow},
		{post, circle + "/codes/" + idPart + "/annuler", anyone, s.familyCodeCancel},
		{get, circle + "/code", anyone, s.familyCodeAsk},
		{post, circle + "/code", anyone, s.familyCodeUse},
		{get, "/mon-espace/agir-pour", anyone, s.familyActing},
		{post, "/mon-espace/agir-pour", anyone, s.familyActingSet},
	}
}
