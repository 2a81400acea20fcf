using System.Net.Http.Headers;
using WebRtcIms.Wwsf.Settings;

namespace WebRtcIms.Wwsf.Stage;

/// <summary>The clients of demonstrations. They belong to no trace: the page asks each second while its stage is open.</summary>
internal static class StageSetup
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    public static void AddStage(this IHostApplicationBuilder builder, StageSettings settings)
    {
        if (!settings.IsOn) return;
        builder.Services.AddSingleton<Cheats>();
        builder.Services.AddSingleton(new PartControl(ClientOf(settings.Control, settings.ControlKey)));
        builder.Services.AddSingleton(
            new TurnTokens([.. settings.TurnManagement.Select(address => ClientOf(address)).OfType<HttpClient>()]));
    }

    private static HttpClient? ClientOf(string? address, Redacted<string>? key = null)
    {
        if (address is null) return null;
        var http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, UseProxy = false })
        {
            BaseAddress = new Uri(address),
            Timeout = Limit,
            MaxResponseContentBufferSize = 16 * 1024,
        };
        if (key is { } secret) http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", secret.Reveal());
        return http;
    }
}
