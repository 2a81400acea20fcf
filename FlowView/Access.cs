using System.Security.Cryptography;
using System.Text;
using WebRtcIms.ServiceDefaults;

namespace WebRtcIms.FlowView;

/// <summary>
/// The callers that may send telemetry and read it: those with <c>FlowView:ApiKey</c>, or, without this setting, those of this machine.
/// People come through the gateway, which checks them.
/// </summary>
internal static class Access
{
    public static void UseAccess(this WebApplication app)
    {
        var key = FlowViewKey.Of(app.Configuration);
        app.Use((context, next) => !IsProtected(context.Request.Path) || MayPass(context, key) ? next(context) : Results.Problem(
            $"Telemetry needs the header {FlowViewKey.Header} with FlowView:ApiKey, or without this setting a caller on this machine.",
            statusCode: StatusCodes.Status401Unauthorized).ExecuteAsync(context));
    }

    private static bool IsProtected(PathString path) => path.StartsWithSegments("/v1") || path.StartsWithSegments("/flow");

    private static bool MayPass(HttpContext context, string? key) => key is null
        ? LocalCaller.Is(context)
        : CryptographicOperations.FixedTimeEquals(Hash(key), Hash(context.Request.Headers[FlowViewKey.Header].ToString()));

    private static byte[] Hash(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));
}
