using WebRtcIms.FlowView;
using WebRtcIms.ServiceDefaults;

// Receives OTLP under /v1, keeps the latest spans and log records in memory, and shows calls under /flow.
return await ServiceHost.RunAsync("FlowView", args, builder => builder.AddFlowView(), app => app.UseFlowView());
