using System.Text.RegularExpressions;

namespace WebRtcIms.Deploy.Tests;

/// <summary>Each environment variable of a part is a setting that some reader knows.</summary>
public sealed partial class EnvironmentTests
{
    // Settings of .NET and of ServiceDefaults, and fields of the pod that other variables refer to.
    private static readonly string[] Shared =
    [
        "ASPNETCORE_URLS", "AllowedHosts", "ConnectionStrings:redis", "FlowView:ApiKey", "FlowView:Endpoint", "HOST_IP",
        "Kestrel:Certificates:Default:KeyPath", "Kestrel:Certificates:Default:Path", "NODE_NAME", "Prometheus:Port", "SSL_CERT_DIR",
    ];

    private static readonly (string, string)[] Fields = [("status.hostIP", "192.0.2.1"), ("spec.nodeName", "node-1")];

    public static TheoryData<string> Variants => Variant.Names;

    [Theory]
    [MemberData(nameof(Variants))]
    public async Task Variables_BindToSettings(string variant)
    {
        var secrets = await Secrets.OfPartsAsync();

        Assert.All(Variant.Of(variant).Workloads, workload =>
        {
            var known = SettingsOf(workload).ToHashSet();
            var names = workload.Environment(Fields).Keys.Concat(workload.Secrets.SelectMany(secret => secrets[secret].Keys)).ToList();
            Assert.Equal(names.Count, names.Distinct().Count());
            Assert.All(names, name => Assert.True(known.Contains(SettingOf(name)), $"{workload}: {name}"));
        });
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void Files_AreInMountedFolders(string variant) => Assert.All(Variant.Of(variant).Workloads, workload =>
    {
        var folders = workload.Container.VolumeMounts.Select(mount => mount.MountPath).ToList();
        var paths = workload.Environment(Fields).Values.Where(value => value.StartsWith('/'));
        Assert.All(paths, path => Assert.Contains(
            folders, folder => path == folder || path.StartsWith($"{folder}/", StringComparison.Ordinal)));
    });

    /// <summary>A key in the repository would be the key of every deployment.</summary>
    [Theory]
    [MemberData(nameof(Variants))]
    public async Task Secrets_AreNotInTheManifests(string variant)
    {
        var secret = (await Secrets.OfPartsAsync()).Values.SelectMany(made => made.Keys).ToHashSet();

        Assert.All(Variant.Of(variant).Workloads, workload =>
            Assert.DoesNotContain(workload.Container.Env, each => secret.Contains(each.Name)));
        Assert.DoesNotContain(Variant.Of(variant).Objects, each => each.Kind == "Secret");
    }

    private static IEnumerable<string> SettingsOf(Workload workload) =>
    [
        .. Shared,
        .. SettingNames.Of(workload.Assembly.GetTypes().Single(type => type.Name == $"{workload.Project}Settings"))
            .Select(name => $"{workload.Project}:{name}"),
        .. workload.Name is "waf" or "wwsf" ? [$"ConnectionStrings:{workload.Name}"] : Array.Empty<string>(),
        .. Parts.Projects.Keys.Where(part => part != workload.Name).Select(part => $"services:{part}:https"),
    ];

    // An entry of a list of texts has the name of the list.
    private static string SettingOf(string variable)
    {
        var name = ListEntry().Replace(variable.Replace("__", ":", StringComparison.Ordinal), ":0:");
        return LastEntry().Replace(name, "");
    }

    [GeneratedRegex(":[0-9]+:")]
    private static partial Regex ListEntry();

    [GeneratedRegex(":[0-9]+$")]
    private static partial Regex LastEntry();
}
