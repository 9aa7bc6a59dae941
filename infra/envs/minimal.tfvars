# Nothing is always on: services scale to nothing, Postgres and pictures are Supabase's.
# The secrets come as TF_VAR_database_url and TF_VAR_supabase_key (README.md).
project_id = "colorway-minimal"

dispatcher = {
  max_instances = 2
  database_pool = 5
}
worker = {
  max_instances = 2
}
queues = {
  high   = { max_concurrent_dispatches = 3 }
  normal = { max_concurrent_dispatches = 3 }
  low    = { max_concurrent_dispatches = 1 }
}

database = {
  managed             = false
  max_connections     = 60 # Supabase's smallest
  deletion_protection = false
}

image_store = "supabase"
supabase = {
  url    = "https://your-project.supabase.co"
  bucket = "colorway"
}
