# What answers HTTPS: API Gateway with the function, or a load balancer with `millrace serve`.

module "api" {
  source = "./modules/api"
  count  = var.edge == "api_gateway" ? 1 : 0

  name                = var.name
  openapi             = file("${path.module}/../crates/edge/openapi.json")
  function_name       = module.function["api"].name
  function_alias      = module.function["api"].alias
  function_invoke_arn = module.function["api"].alias_invoke_arn
  throttle            = var.api.throttle
  cors_origins        = var.api.cors_origins
  jwt                 = var.api.jwt
  domain              = var.api.domain
  kms_key_arn         = aws_kms_key.this.arn
  log_retention_days  = var.log_retention_days
}

module "balancer" {
  source = "./modules/balancer"
  count  = var.edge == "load_balancer" ? 1 : 0

  name                       = var.name
  vpc_id                     = local.vpc_id
  subnet_ids                 = coalesce(var.load_balancer.is_internal, false) ? local.private_subnet_ids : local.public_subnet_ids
  is_internal                = var.load_balancer.is_internal
  certificate_arn            = var.load_balancer.certificate_arn
  client_cidrs               = var.load_balancer.client_cidrs
  instance_security_group_id = module.consumers.security_group_id
  access_log_bucket          = var.load_balancer.access_log_bucket
  is_protected               = var.is_protected
}
