using System.Text.Json;

namespace WebRtcIms.Waf.Administration;

/// <summary>Composes administration: its port, and the endpoints under <c>/admin</c>.</summary>
internal static class AdminServices
{
    public static void AddAdministration(this WebApplicationBuilder builder, AdminSettings settings)
    {
        var services = builder.Services;
        services.AddSingleton(settings);
        if (settings.Port is null) return;
        builder.WebHost.UseUrls(settings.ListenUrls(builder.Configuration));
        services.ConfigureHttpJsonOptions(json => json.SerializerOptions.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower);
        services.Configure<RouteHandlerOptions>(routes => routes.ThrowOnBadRequest = false);
    }

    public static void MapAdministration(this WebApplication app)
    {
        if (app.Services.GetRequiredService<AdminSettings>().Port is null) return;
        var admin = app.MapGroup(AdminPort.Folder);
        admin.MapClients();
        admin.MapInitialAccessTokens();
        admin.MapKeyRings();
        admin.MapRevocations();
        admin.MapAudit();
    }
}
