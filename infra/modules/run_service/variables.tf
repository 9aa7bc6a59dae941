variable "name" {
  type = string
}

variable "location" {
  type = string
}

variable "url" {
  description = "the service's root URL, which is also the audience of its callers' tokens"
  type        = string
}

variable "ingress" {
  type = string
}

variable "service_account" {
  description = "e-mail of the identity it runs as"
  type        = string
}

variable "scale" {
  type = object({
    cpu           = number
    memory        = string
    min_instances = number
    max_instances = number
    concurrency   = number
    timeout_s     = number
  })
}

variable "env" {
  type = map(string)
}

variable "secrets" {
  description = "ids of secrets by the variable that carries each"
  type        = map(string)
}

variable "files" {
  description = "ids of secrets that are files, and in which folder each is"
  type        = map(object({ secret = string, path = string, file = string }))
}

variable "subnetwork" {
  description = "where the database is reached; null where it is reached from anywhere"
  type        = string
}

variable "kms_key" {
  type = string
}

variable "deletion_protection" {
  type = bool
}
