"""Color organs by the thousand: the case that all contestants are given, and who they are beside ohmgrad."""
