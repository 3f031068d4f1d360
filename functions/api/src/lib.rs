//! The HTTP edge as a Lambda function behind API Gateway
