using System.Text.RegularExpressions;

namespace WebRtcIms.Settings.Tests.Deployments;

/// <summary>The environment variables that a part reads.</summary>
internal static partial class KnownSettings
{
    // Read by .NET, and by what all parts share.
    private static readonly string[] Shared =
    [
        "ASPNETCORE_URLS", "AllowedHosts", "ConnectionStrings:redis", "FlowView:Endpoint", "FlowView:ApiKey", "Transport:Encryption",
        "Prometheus:Port", "Kestrel:Certificates:Default:Path", "Kestrel:Certificates:Default:KeyPath",
    ];

    // The parts that a part calls.
    private static readonly Dictionary<string, string[]> Others = new()
    {
        ["Waf"] = ["ConnectionStrings:waf"],
        ["Wwsf"] = ["ConnectionStrings:wwsf", "services:waf:http:0", "services:ep-cscf:http:0"],
        ["WicWeb"] = ["services:wwsf:http:0", "services:ep-cscf:http:0", "services:flow-view:http:0"],
    };

    /// <summary>Whether the part has the setting of a variable such as <c>Turn__Keys__0__Kid</c>.</summary>
    public static bool Has(Part part, string variable)
    {
        var name = Index().Replace(variable.Replace("__", ":", StringComparison.Ordinal), ":0");
        return Shared.Contains(name) || Others.GetValueOrDefault(part.Name, []).Contains(name)
            || SettingProperty.Of(part).Any(setting => setting.Name == name);
    }

    [GeneratedRegex(@":\d+(?=:|$)")]
    private static partial Regex Index();
}
