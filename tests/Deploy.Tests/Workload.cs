using System.Reflection;
using k8s.Models;

namespace WebRtcIms.Deploy.Tests;

/// <summary>A part as a Deployment or a StatefulSet.</summary>
/// <param name="Name">Such as <c>ep-cscf</c>: that of the resource in the AppHost.</param>
/// <param name="Template">Its pods.</param>
internal sealed record Workload(string Name, V1PodTemplateSpec Template)
{
    /// <summary>The only container.</summary>
    public V1Container Container { get; } = Template.Spec.Containers.Single();

    public string Project => Parts.Projects[Name];

    public Assembly Assembly => Assembly.Load($"WebRtcIms.{Project}");

    public bool IsOnHostNetwork => Template.Spec.HostNetwork is true;

    /// <summary>The Secrets whose keys are environment variables.</summary>
    public IEnumerable<string> Secrets => (Container.EnvFrom ?? []).Select(source => source.SecretRef.Name);

    /// <summary>The environment, with <c>$(HOST_IP)</c> and similar references resolved.</summary>
    /// <param name="fields">The values of the pod's fields, such as <c>status.hostIP</c>.</param>
    public Dictionary<string, string> Environment(params (string Field, string Value)[] fields)
    {
        Dictionary<string, string> variables = [];
        foreach (var variable in Container.Env)
        {
            var value = variable.ValueFrom is null
                ? variable.Value : fields.Single(field => field.Field == variable.ValueFrom.FieldRef.FieldPath).Value;
            // As Kubernetes does: only variables that stand before this one.
            foreach (var (name, earlier) in variables) value = value.Replace($"$({name})", earlier, StringComparison.Ordinal);
            variables.Add(variable.Name, value);
        }

        return variables;
    }

    public override string ToString() => Name;
}
