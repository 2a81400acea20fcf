namespace WebRtcIms.Deploy.Tests;

/// <summary>Each environment variable of a part is a setting that some reader knows.</summary>
public sealed class EnvironmentTests
{
    // Variables that others refer to.
    private static readonly string[] FieldVariables = ["HOST_IP", "NODE_NAME"];

    private static readonly (string, string)[] Fields = [("status.hostIP", "192.0.2.1"), ("spec.nodeName", "node-1")];

    public static TheoryData<string> Variants => Variant.Names;

    [Theory]
    [MemberData(nameof(Variants))]
    public async Task Variables_BindToSettings(string variant)
    {
        var secrets = await Secrets.OfPartsAsync();

        Assert.All(Variant.Of(variant).Workloads, workload =>
        {
            var names = workload.Environment(Fields).Keys.Concat(workload.Secrets.SelectMany(secret => secrets[secret].Keys)).ToList();
            Assert.Equal(names.Count, names.Distinct().Count());
            Assert.All(
                names.Except(FieldVariables),
                name => Assert.True(KnownSettings.Has(workload.Project, name), $"{workload}: {name}"));
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
}
