using WebRtcIms.WicWeb;

// The one public origin: the page, the WWSF under /api, SIP over WebSocket under /sip.
var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddGateway();
builder.AddPublicHttps();

var app = builder.Build();
app.UseSecurityHeaders();
app.UsePage();
app.MapDefaultEndpoints();
app.MapGateway();
app.Run();
