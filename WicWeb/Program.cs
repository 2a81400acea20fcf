using WebRtcIms.WicWeb;

// The one public origin: the page, and the WWSF under /api.
var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddGateway();

var app = builder.Build();
app.UseSecurityHeaders();
app.UsePage();
app.MapDefaultEndpoints();
app.MapGateway();
app.Run();
