# Settings that only work together. A plan that breaks one of these fails before anything changes.

locals {
  slots = var.worker.max_instances * var.worker.concurrency
  connections = (
    var.worker.max_instances * local.worker_pool
    + var.dispatcher.max_instances * var.dispatcher.database_pool
    + 1 # the migrator
  )
  connections_allowed = var.database.max_connections - 10 # Postgres's own, and whoever looks into it
}

resource "terraform_data" "agreements" {
  lifecycle {
    precondition {
      condition     = local.dispatches <= local.slots
      error_message = "The queues dispatch ${local.dispatches} tasks at once (the deployer's included) and the worker has ${local.slots} slots: raise worker.max_instances or lower queues.*.max_concurrent_dispatches."
    }
    precondition {
      condition     = var.worker.concurrency + 2 <= var.worker.threads
      error_message = "worker.threads must be worker.concurrency and two to spare, or health checks wait behind renders."
    }
    precondition {
      condition     = var.dispatcher.concurrency < var.dispatcher.threads
      error_message = "dispatcher.threads must be above dispatcher.concurrency, or health checks wait behind requests."
    }
    precondition {
      condition     = var.worker.time_budget_s < var.worker.timeout_s && var.worker.timeout_s <= var.dispatch_deadline_s
      error_message = "An attempt must end before Cloud Run cuts it, and that before the queue gives up waiting: worker.time_budget_s < worker.timeout_s <= dispatch_deadline_s."
    }
    precondition {
      condition     = var.dispatch_deadline_s >= 15 && var.dispatch_deadline_s <= 1800
      error_message = "Cloud Tasks takes a dispatch_deadline_s from 15 to 1800."
    }
    precondition {
      condition     = local.connections <= local.connections_allowed
      error_message = "The services may open ${local.connections} connections and the ledger has ${local.connections_allowed} to give: lower max_instances, worker.threads or dispatcher.database_pool, or raise database.max_connections."
    }
  }
}
