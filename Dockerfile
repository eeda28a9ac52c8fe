# An image with jaxgan and its experiments, for CPUs by default:
#   docker build -t jaxgan .
#   mkdir -p runs
#   docker run --rm -v "$PWD/runs:/home/jaxgan/runs" jaxgan train dcgan
# For NVIDIA GPUs, with images in the folder photos:
#   docker build -t jaxgan:cuda --build-arg EXTRAS=photos,privacy,cuda .
#   docker run --rm --gpus all -v "$PWD/runs:/home/jaxgan/runs" -v "$PWD/photos:/home/jaxgan/photos:ro" \
#     jaxgan:cuda train stylegan2 --preset photos --data photos/
FROM python:3.13-slim

ARG EXTRAS=photos,privacy
COPY . /tmp/jaxgan
RUN pip install --no-cache-dir "/tmp/jaxgan[${EXTRAS}]" && rm -rf /tmp/jaxgan

RUN useradd --create-home jaxgan
USER jaxgan
WORKDIR /home/jaxgan
ENTRYPOINT ["jaxgan"]
CMD ["--help"]
