project_id = "colorway-prod"

dispatcher = {
  min_instances = 1 # nobody waits for a cold start
  max_instances = 6
}
worker = {
  max_instances = 25
}
queues = {
  high   = { max_concurrent_dispatches = 40 }
  normal = { max_concurrent_dispatches = 44 }
  low    = { max_concurrent_dispatches = 15 }
}

database = {
  managed           = true
  max_connections   = 300
  tier              = "db-custom-2-7680"
  disk_gb           = 50
  high_availability = true
  backups_kept      = 30
}

alert_emails = ["on-call@example.com"]
budget = {
  billing_account = "000000-000000-000000"
  amount          = 500
}
