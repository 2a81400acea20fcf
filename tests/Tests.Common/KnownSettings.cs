using System.Reflection;
using System.Text.RegularExpressions;

namespace WebRtcIms.Tests.Common;

/// <summary>The environment variables that the parts read. The test project references the parts.</summary>
public static partial class KnownSettings
{
    // Read by .NET, and by what all parts share.
    private static readonly string[] Shared =
    [
        "ASPNETCORE_URLS", "AllowedHosts", "ConnectionStrings:redis", "FlowView:Endpoint", "FlowView:ApiKey", "Transport:Encryption",
        "Prometheus:Port", "Kestrel:Certificates:Default:Path", "Kestrel:Certificates:Default:KeyPath", "SSL_CERT_DIR",
    ];

    // The stores of a part, and the parts that it calls.
    private static readonly Dictionary<string, string[]> Others = new()
    {
        ["Waf"] = ["ConnectionStrings:waf"],
        ["Wwsf"] = ["ConnectionStrings:wwsf", "services:waf", "services:ep-cscf"],
        ["WicWeb"] = ["services:wwsf", "services:ep-cscf", "services:flow-view"],
    };

    /// <summary>Whether a part has the setting of a variable such as <c>Turn__Keys__0__Kid</c>.</summary>
    /// <param name="project">Such as <c>EpCscf</c>.</param>
    /// <param name="variable">Its name.</param>
    public static bool Has(string project, string variable)
    {
        var name = Index().Replace(variable.Replace("__", ":", StringComparison.Ordinal), ":0");
        // An entry of a list of texts has the name of the list.
        var plain = LastIndex().Replace(name, "");
        return Shared.Contains(name) || Others.GetValueOrDefault(project, []).Contains(Scheme().Replace(plain, ""))
            || NamesOf(project).Contains(plain);
    }

    private static IEnumerable<string> NamesOf(string project) =>
        SettingNames.Of(Assembly.Load($"WebRtcIms.{project}").GetTypes().Single(type => type.Name == $"{project}Settings"))
            .Select(name => $"{project}:{name}");

    [GeneratedRegex(@":\d+(?=:|$)")]
    private static partial Regex Index();

    [GeneratedRegex(":0$")]
    private static partial Regex LastIndex();

    [GeneratedRegex("(?<=^services:[a-z-]+):https?$")]
    private static partial Regex Scheme();
}
