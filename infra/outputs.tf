output "dispatcher_url" {
  description = "where clients send jobs"
  value       = local.dispatcher_url
}

output "worker_url" {
  description = "where tasks go, and the audience of their tokens"
  value       = local.worker_url
}

output "queues" {
  description = "the queues' names by priority"
  value       = local.queue_names
}

output "image_store" {
  description = "the services' IMAGE_STORE"
  value       = local.image_store
}

output "database_instance" {
  description = "the instance of the ledger, where it is managed here"
  value       = local.has_sql ? google_sql_database_instance.ledger[0].connection_name : null
}

output "substitutions" {
  description = "what cloudbuild.yaml is told; for builds that are submitted by hand"
  value       = local.substitutions
}

output "deployer" {
  description = "the identity of builds"
  value       = google_service_account.identity["deployer"].email
}

output "max_connections" {
  description = "what Postgres allows, here or elsewhere"
  value       = var.database.max_connections
}
