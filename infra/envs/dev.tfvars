project_id = "colorway-dev"

dispatcher = {
  max_instances = 2
}
worker = {
  max_instances = 4
}
queues = {
  high   = { max_concurrent_dispatches = 6 }
  normal = { max_concurrent_dispatches = 6 }
  low    = { max_concurrent_dispatches = 3 }
}

database = {
  managed             = true
  max_connections     = 100
  deletion_protection = false
  backups_kept        = 3
}
